import { Operator, type Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from '../depth/index.js';
import {
  BatchNorm2d,
  type BatchNormOptions,
  type Conv2d,
  evaluation,
  Module,
  type Pass,
  Sequential,
} from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';
import { kaimingConv } from './kaiming-conv.js';

const silu = new Operator('aten::silu');
const silu_ = new Operator('aten::silu_');
const mul = new Operator('aten::mul', 'Tensor');
const sigmoid = new Operator('aten::sigmoid');
const adaptiveAvgPool2d = new Operator('aten::adaptive_avg_pool2d');

/** x · σ(x) of a tensor that nothing else holds. In place, a training pass would have to copy it first for its gradient. */
function activate(x: Tensor, { training }: Pass): Tensor {
  return (training ? silu : silu_).call([x]) as Tensor;
}

/** What a {@link ConvNorm} is made from. */
export interface ConvNormShape {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
  /** Whether silu follows. */
  readonly activated?: boolean;
  readonly norm: BatchNormOptions;
  readonly key: Key;
}

/** silu(bn(conv(x))), or without the silu; keys `0` and `1`. */
export class ConvNorm extends Module {
  readonly 0: Conv2d;
  readonly 1: BatchNorm2d;
  readonly #activated: boolean;

  constructor({ inChannels, outChannels, kernel, stride = 1, groups = 1, activated = true, norm, key }: ConvNormShape) {
    super();
    this[0] = kaimingConv(inChannels, outChannels, kernel, { key, stride, groups });
    this[1] = new BatchNorm2d(outChannels, norm);
    this.#activated = activated;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const y = this[1].forward(this[0].forward(x, pass), pass);
    return this.#activated ? activate(y, pass) : y;
  }
}

/** σ(fc2(silu(fc1(mean of x over its pixels)))) · x: each channel by a gate of all channels (Hu et al. 2018). */
class SqueezeExcitation extends Module {
  readonly fc1: Conv2d;
  readonly fc2: Conv2d;

  constructor(channels: number, squeezed: number, key: Key) {
    super();
    this.fc1 = kaimingConv(channels, squeezed, 1, { key: deriveKey(key, 'fc1'), bias: true });
    this.fc2 = kaimingConv(squeezed, channels, 1, { key: deriveKey(key, 'fc2'), bias: true });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const means = adaptiveAvgPool2d.call([x, [1, 1]]) as Tensor;
    const gates = this.fc2.forward(activate(this.fc1.forward(means, pass), pass), pass);
    return mul.call([sigmoid.call([gates]), x]) as Tensor;
  }
}

/** What an {@link MBConv} is made from. */
export interface MBConvShape {
  readonly inChannels: number;
  /** Channels of the convolution in its middle. */
  readonly innerChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly norm: BatchNormOptions;
  readonly key: Key;
}

/**
 * The inverted residual of MobileNetV2 with squeeze-and-excitation: 1×1 to more channels, a convolution of each channel
 * alone, the gates, 1×1 to fewer; plus x where the shape stays.
 *
 * Where it changes there is no shortcut, so the block's site cannot be dropped; it is there to be counted as a layer.
 */
export class MBConv extends Module implements ResidualBlock {
  readonly site: Site;
  readonly block: Sequential;

  constructor({ inChannels, innerChannels, outChannels, kernel, stride, norm, key }: MBConvShape) {
    super();
    const at = (name: string): { readonly norm: BatchNormOptions; readonly key: Key } => ({
      norm,
      key: deriveKey(key, name),
    });
    this.site = new Site('mbconv', { droppable: stride === 1 && inChannels === outChannels });
    this.block = new Sequential(
      ...(innerChannels === inChannels
        ? []
        : [new ConvNorm({ inChannels, outChannels: innerChannels, kernel: 1, ...at('expand') })]),
      new ConvNorm({
        inChannels: innerChannels,
        outChannels: innerChannels,
        kernel,
        stride,
        groups: innerChannels,
        ...at('depthwise'),
      }),
      new SqueezeExcitation(innerChannels, Math.max(1, Math.floor(inChannels / 4)), deriveKey(key, 'squeeze')),
      new ConvNorm({ inChannels: innerChannels, outChannels, kernel: 1, activated: false, ...at('project') }),
    );
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return this.site.droppable ? residual(this, x, pass) : this.block.forward(x, pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    return this.block.forward(x, pass);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}
