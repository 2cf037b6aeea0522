import { noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { Dropout, nameDropouts } from '../dropout/index.js';
import {
  BatchNorm2d,
  type Conv2d,
  evaluation,
  Linear,
  type MaxPool2d,
  Module,
  type Pass,
  type Sequential,
} from '../nn/index.js';
import { Settings } from '../nn/settings.js';
import { deriveKey } from '../random/index.js';
import { BasicBlock, Bottleneck } from './resnet-blocks.js';
import { type ResnetShapeOptions, resnetShape } from './resnet-shape.js';
import { globalMean, outWidth, resnetStages, stemConv, stemPool, throughStages } from './resnet-stages.js';

const zero_ = new Operator('aten::zero_');

/** Options of {@link resnet}. */
export interface ResnetOptions extends ResnetShapeOptions {
  /** Whether each branch begins as zero, by the γ of its last batch norm (Goyal et al. 2017). */
  readonly zeroInitResidual?: boolean;
}

/** A residual network (He et al. 2016) as {@link resnet} makes it. */
export class Resnet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly dropout: Dropout;
  readonly fc: Linear;
  readonly #pool: MaxPool2d | null;

  constructor({ zeroInitResidual = false, ...options }: ResnetOptions) {
    super();
    const settings = new Settings('resnet').flag('zeroInitResidual', zeroInitResidual);
    const shape = resnetShape('resnet', options, settings);
    this.conv1 = stemConv(shape);
    this.bn1 = new BatchNorm2d(shape.widths[0] ?? 0);
    const Block = shape.kind === 'basic' ? BasicBlock : Bottleneck;
    [this.layer1, this.layer2, this.layer3, this.layer4] = resnetStages(shape, (block) => {
      const made = new Block(block);
      if (zeroInitResidual) noGrad(() => zero_.call([made.lastNorm.weight]));
      return made;
    });
    this.dropout = new Dropout(shape.headDrop);
    this.fc = new Linear(outWidth(shape), shape.classes, { key: deriveKey(shape.key, 'fc') });
    this.#pool = stemPool(shape);
    nameDropouts(this);
  }

  /**
   * @param x pictures `[B, channels, H, W]`, float
   * @returns logits `[B, classes]`
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const stages = [this.layer1, this.layer2, this.layer3, this.layer4];
      const y = globalMean(throughStages(() => this.#stem(x, pass), stages, pass));
      return this.fc.forward(this.dropout.forward(y, pass), pass);
    });
  }

  #stem(x: Tensor, pass: Pass): Tensor {
    const y = this.bn1.forwardRelu(this.conv1.forward(x, pass), pass);
    return this.#pool === null ? y : this.#pool.forward(y);
  }
}

/**
 * A residual network of 18, 34, 50, 101 or 152 layers with a site in each block: `layer1.0`, …
 *
 * Keys, shapes and results are those of torchvision's `resnet18` to `resnet152`, and with `groups` and `groupWidth` of its
 * `resnext50_32x4d` (32, 4) and `wide_resnet50_2` (1, 128), so their weights load from safetensors.
 *
 * Convolutions start from He's normal fill by their outputs, batch norm from γ = 1 and β = 0, the last layer as PyTorch's
 * does; all a function of the key. Parameters for 1000 classes: 11,689,512 at depth 18, 21,797,672 at 34, 25,557,032 at 50,
 * 44,549,160 at 101, 60,192,808 at 152.
 *
 * @throws ShallowsError for another depth, sizes that are no whole numbers from 1, or groups in basic blocks
 */
export function resnet(options: ResnetOptions): Resnet {
  return new Resnet(options);
}
