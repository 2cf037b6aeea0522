import { scope, type Tensor } from '@shallows/torch';
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
import { deriveKey } from '../random/index.js';
import { PreactBasicBlock, PreactBottleneck, preactivate } from './preact-blocks.js';
import { type ResnetShapeOptions, resnetShape } from './resnet-shape.js';
import { globalMean, outWidth, resnetStages, stemConv, stemPool, throughStages } from './resnet-stages.js';

/** Options of {@link preactResnet}. */
export type PreactResnetOptions = ResnetShapeOptions;

/** A residual network that normalises and activates before each convolution, as {@link preactResnet} makes it. */
export class PreactResnet extends Module {
  readonly conv1: Conv2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly bn: BatchNorm2d;
  readonly dropout: Dropout;
  readonly fc: Linear;
  readonly #pool: MaxPool2d | null;

  constructor(options: PreactResnetOptions) {
    super();
    const shape = resnetShape('preactResnet', options);
    const Block = shape.kind === 'basic' ? PreactBasicBlock : PreactBottleneck;
    this.conv1 = stemConv(shape);
    [this.layer1, this.layer2, this.layer3, this.layer4] = resnetStages(shape, (block) => new Block(block));
    this.bn = new BatchNorm2d(outWidth(shape));
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
      const y = throughStages(() => this.#stem(x, pass), stages, pass);
      return this.fc.forward(this.dropout.forward(globalMean(preactivate(this.bn, y, pass)), pass), pass);
    });
  }

  #stem(x: Tensor, pass: Pass): Tensor {
    const y = this.conv1.forward(x, pass);
    return this.#pool === null ? y : this.#pool.forward(y);
  }
}

/**
 * A residual network with the activation before each convolution, so that nothing but additions lies on the way through the
 * shortcuts (He et al. 2016b), of 18, 34, 50, 101 or 152 layers and with a site in each block: `layer1.0`, …
 *
 * The shapes and results are those of timm's `resnetv2_18` to `resnetv2_152` (with batch norm and one convolution as the
 * stem); keys are written as torchvision writes those of {@link resnet}, with `bn` for the last batch norm.
 *
 * Weights start as in {@link resnet}. Parameters for 1000 classes: 25,549,352 at depth 50.
 *
 * @throws ShallowsError for another depth, sizes that are no whole numbers from 1, or groups in basic blocks
 */
export function preactResnet(options: PreactResnetOptions): PreactResnet {
  return new PreactResnet(options);
}
