import { noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { Dropout, type DropRate, nameDropouts } from '../dropout/index.js';
import {
  AdaptiveAvgPool2d,
  type BatchNormOptions,
  evaluation,
  Linear,
  Module,
  type Pass,
  Sequential,
  uniform_,
} from '../nn/index.js';
import { Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import { ConvNorm, MBConv } from './efficientnet-blocks.js';

const zero_ = new Operator('aten::zero_');
const flatten = new Operator('aten::flatten', 'using_ints');

/** The published sizes. */
export type EfficientnetSize = keyof typeof published;

const published = {
  b0: { width: 1, depth: 1, drop: 0.2 },
  b1: { width: 1, depth: 1.1, drop: 0.2 },
  b2: { width: 1.1, depth: 1.2, drop: 0.3 },
  b3: { width: 1.2, depth: 1.4, drop: 0.3 },
  b4: { width: 1.4, depth: 1.8, drop: 0.4 },
  b5: { width: 1.6, depth: 2.2, drop: 0.4 },
  b6: { width: 1.8, depth: 2.6, drop: 0.5 },
  b7: { width: 2, depth: 3.1, drop: 0.5 },
} as const;

/** The largest three were trained with another batch norm, in TensorFlow. */
const fromTensorflow: readonly string[] = ['b5', 'b6', 'b7'];

/** Table 1 of the paper, at width and depth 1. */
const stages = [
  { expand: 1, kernel: 3, stride: 1, width: 16, blocks: 1 },
  { expand: 6, kernel: 3, stride: 2, width: 24, blocks: 2 },
  { expand: 6, kernel: 5, stride: 2, width: 40, blocks: 2 },
  { expand: 6, kernel: 3, stride: 2, width: 80, blocks: 3 },
  { expand: 6, kernel: 5, stride: 1, width: 112, blocks: 3 },
  { expand: 6, kernel: 5, stride: 2, width: 192, blocks: 4 },
  { expand: 6, kernel: 3, stride: 1, width: 320, blocks: 1 },
] as const;

/** Options of {@link efficientnet}. */
export interface EfficientnetOptions {
  readonly size: EfficientnetSize;
  readonly classes: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Channels of the pictures: 3 for colour, 1 for grey. */
  readonly channels?: number;
  /** What the channels of b0 are multiplied by, in place of the size's; the products are rounded to multiples of 8. */
  readonly widthFactor?: number;
  /** What the blocks of each stage of b0 are multiplied by, in place of the size's; the products are rounded up. */
  readonly depthFactor?: number;
  /** Rate of a dropout before the last layer, in place of the size's. */
  readonly headDrop?: DropRate;
}

/** An EfficientNet (Tan and Le 2019) as {@link efficientnet} makes it. */
export class Efficientnet extends Module {
  readonly features: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly classifier: Sequential;

  constructor({ size, classes, key, channels = 3, ...factors }: EfficientnetOptions) {
    super();
    const usual = published[Object.hasOwn(published, size) ? size : 'b0'];
    const { widthFactor = usual.width, depthFactor = usual.depth, headDrop = usual.drop } = factors;
    checkRates(new Settings('efficientnet'), { headDrop })
      .word('size', size, Object.keys(published))
      .whole('classes', classes, 1)
      .whole('channels', channels, 1)
      .number('widthFactor', widthFactor, 'above 0', (value) => value > 0)
      .number('depthFactor', depthFactor, 'above 0', (value) => value > 0)
      .key(key)
      .check("write efficientnet({ size: 'b0', classes, key })");
    const norm: BatchNormOptions = fromTensorflow.includes(size) ? { eps: 1e-3, momentum: 0.01 } : {};
    const at = (name: string): { readonly norm: BatchNormOptions; readonly key: Key } => ({
      norm,
      key: deriveKey(key, name),
    });
    let inChannels = eights(32 * widthFactor);
    const stem = new ConvNorm({ inChannels: channels, outChannels: inChannels, kernel: 3, stride: 2, ...at('stem') });
    const blocks = stages.map(({ expand, kernel, stride, width: base, blocks }, stage) => {
      const outChannels = eights(base * widthFactor);
      const made = Array.from({ length: Math.ceil(blocks * depthFactor) }, (_, i) => {
        const block = new MBConv({
          inChannels,
          innerChannels: eights(inChannels * expand),
          outChannels,
          kernel,
          stride: i === 0 ? stride : 1,
          norm,
          key: deriveKey(key, `stage${stage}`, i),
        });
        inChannels = outChannels;
        return block;
      });
      return new Sequential(...made);
    });
    const last = new ConvNorm({ inChannels, outChannels: 4 * inChannels, kernel: 1, ...at('last') });
    this.features = new Sequential(stem, ...blocks, last);
    this.classifier = new Sequential(
      new Dropout(headDrop),
      classifier(4 * inChannels, classes, deriveKey(key, 'classifier')),
    );
    nameDropouts(this);
  }

  /**
   * @param x pictures `[B, channels, H, W]`, float
   * @returns logits `[B, classes]`
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const means = this.avgpool.forward(this.features.forward(x, pass));
      return this.classifier.forward(flatten.call([means, 1]) as Tensor, pass);
    });
  }
}

/** The multiple of 8 that is nearest, from 8 and never more than a tenth below. */
function eights(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

/** Weights from U(−1/√classes, 1/√classes), a bias of 0. */
function classifier(inputs: number, classes: number, key: Key): Linear {
  const linear = new Linear(inputs, classes, { key });
  const bound = 1 / Math.sqrt(classes);
  uniform_(linear.weight, { key: deriveKey(key, 'uniform'), low: -bound, high: bound });
  noGrad(() => zero_.call([linear.bias]));
  return linear;
}

/**
 * An EfficientNet of size b0 to b7, with a site in each block: `features.1.0`, …
 *
 * Keys, shapes and results are those of torchvision's `efficientnet_b0` to `efficientnet_b7`, so their weights load from
 * safetensors. It trains them with the depth schedule `ramp` to a drop rate of 0.2, over all 16 blocks of b0: the 7 that
 * change shape count as layers and cannot be dropped. Before the last layer stands a dropout of 0.2 (b0, b1), 0.3 (b2, b3),
 * 0.4 (b4, b5) or 0.5 (b6, b7), as there: a training pass has a key.
 *
 * Convolutions start from He's normal fill by their outputs, batch norm from γ = 1 and β = 0, the last layer from
 * U(−1/√classes, 1/√classes), biases from 0; all a function of the key. Parameters of b0 for 1000 classes: 5,288,548.
 *
 * @throws ShallowsError for another size, numbers of classes or channels that are no whole numbers from 1, or factors
 *   that are not above 0
 */
export function efficientnet(options: EfficientnetOptions): Efficientnet {
  return new Efficientnet(options);
}
