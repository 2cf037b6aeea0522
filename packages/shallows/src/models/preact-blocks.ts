import type { Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from '../depth/index.js';
import { BatchNorm2d, type Conv2d, evaluation, Module, type Pass, Sequential } from '../nn/index.js';
import { deriveKey } from '../random/index.js';
import { kaimingConv } from './kaiming-conv.js';
import { type BlockShape, changesShape } from './resnet-stages.js';

/** relu(bn(x)), the activation before a convolution. */
export function preactivate(bn: BatchNorm2d, x: Tensor, pass: Pass): Tensor {
  return bn.forwardRelu(x, pass);
}

/**
 * x + F(relu(bn1(x))), and where the shape changes W·a + F(a) with a = relu(bn1(x)): there the shortcut too takes the
 * activated input, so a is computed once, before the site, and stays where the branch is dropped.
 */
abstract class PreactBlock extends Module implements ResidualBlock {
  abstract readonly site: Site;
  abstract readonly bn1: BatchNorm2d;
  abstract readonly downsample: Sequential | null;

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, this.downsample === null ? x : preactivate(this.bn1, x, pass), pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    return this.convolve(this.downsample === null ? preactivate(this.bn1, x, pass) : x, pass);
  }

  shortcut(x: Tensor, pass: Pass): Tensor {
    return this.downsample === null ? x : this.downsample.forward(x, pass);
  }

  /** F, from the activated input on. */
  protected abstract convolve(activated: Tensor, pass: Pass): Tensor;
}

/** F(a) = conv2(relu(bn2(conv1(a)))), both convolutions 3×3. */
export class PreactBasicBlock extends PreactBlock {
  readonly site = new Site('basic');
  readonly bn1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly downsample: Sequential | null;

  constructor(shape: BlockShape) {
    super();
    const { inChannels, outChannels, stride, key } = shape;
    this.bn1 = new BatchNorm2d(inChannels);
    this.conv1 = kaimingConv(inChannels, outChannels, 3, { key: deriveKey(key, 'conv1'), stride });
    this.bn2 = new BatchNorm2d(outChannels);
    this.conv2 = kaimingConv(outChannels, outChannels, 3, { key: deriveKey(key, 'conv2') });
    this.downsample = downsampleOf(shape);
  }

  protected override convolve(activated: Tensor, pass: Pass): Tensor {
    return this.conv2.forward(preactivate(this.bn2, this.conv1.forward(activated, pass), pass), pass);
  }
}

/** F(a) = conv3(relu(bn3(conv2(relu(bn2(conv1(a))))))): 1×1 to fewer channels, 3×3 with the stride, 1×1 to more. */
export class PreactBottleneck extends PreactBlock {
  readonly site = new Site('bottleneck');
  readonly bn1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly downsample: Sequential | null;

  constructor(shape: BlockShape) {
    super();
    const { inChannels, innerChannels, outChannels, stride, groups, key } = shape;
    this.bn1 = new BatchNorm2d(inChannels);
    this.conv1 = kaimingConv(inChannels, innerChannels, 1, { key: deriveKey(key, 'conv1') });
    this.bn2 = new BatchNorm2d(innerChannels);
    this.conv2 = kaimingConv(innerChannels, innerChannels, 3, { key: deriveKey(key, 'conv2'), stride, groups });
    this.bn3 = new BatchNorm2d(innerChannels);
    this.conv3 = kaimingConv(innerChannels, outChannels, 1, { key: deriveKey(key, 'conv3') });
    this.downsample = downsampleOf(shape);
  }

  protected override convolve(activated: Tensor, pass: Pass): Tensor {
    const inner = this.conv2.forward(preactivate(this.bn2, this.conv1.forward(activated, pass), pass), pass);
    return this.conv3.forward(preactivate(this.bn3, inner, pass), pass);
  }
}

/** W where the shape changes: a 1×1 convolution alone, as its input was normalised. */
function downsampleOf(shape: BlockShape): Sequential | null {
  if (!changesShape(shape)) return null;
  const { inChannels, outChannels, stride, key } = shape;
  return new Sequential(kaimingConv(inChannels, outChannels, 1, { key: deriveKey(key, 'downsample'), stride }));
}
