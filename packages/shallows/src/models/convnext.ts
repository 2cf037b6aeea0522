import { scope, type Tensor } from '@shallows/torch';
import { Dropout, type DropRate, nameDropouts } from '../dropout/index.js';
import {
  AdaptiveAvgPool2d,
  Conv2d,
  evaluation,
  Flatten,
  LayerNorm2d,
  Linear,
  Module,
  type Pass,
  Sequential,
} from '../nn/index.js';
import { Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { ConvnextBlock, NORM, started } from './convnext-block.js';
import { checkRates } from './drop-rates.js';
import { areSizes } from './sizes.js';

/** The published sizes. */
export type ConvnextSize = keyof typeof published;

const published = {
  tiny: { blocks: [3, 3, 9, 3], widths: [96, 192, 384, 768] },
  small: { blocks: [3, 3, 27, 3], widths: [96, 192, 384, 768] },
  base: { blocks: [3, 3, 27, 3], widths: [128, 256, 512, 1024] },
  large: { blocks: [3, 3, 27, 3], widths: [192, 384, 768, 1536] },
} as const;

/** Options of {@link convnext}. */
export interface ConvnextOptions {
  readonly size: ConvnextSize;
  readonly classes: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Channels of the pictures: 3 for colour, 1 for grey. */
  readonly channels?: number;
  /** Side in pixels of the squares that the first convolution cuts a picture into. */
  readonly patch?: number;
  /** Blocks of each stage, in place of the size's; as many stages as there are widths. */
  readonly blocks?: readonly number[];
  /** Channels of each stage, in place of the size's. */
  readonly widths?: readonly number[];
  /** What each branch is scaled by at first (γ). */
  readonly layerScale?: number;
  /** Rate of a dropout before the last layer. */
  readonly headDrop?: DropRate;
}

/** A ConvNeXt (Liu et al. 2022) as {@link convnext} makes it. */
export class Convnext extends Module {
  readonly features: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly classifier: Sequential;

  constructor({
    size,
    classes,
    key,
    channels = 3,
    patch = 4,
    layerScale = 1e-6,
    headDrop = 0,
    ...sizes
  }: ConvnextOptions) {
    super();
    const known = Object.hasOwn(published, size);
    const { blocks = published[known ? size : 'tiny'].blocks, widths = published[known ? size : 'tiny'].widths } =
      sizes;
    checkRates(new Settings('convnext'), { headDrop })
      .word('size', size, Object.keys(published))
      .whole('classes', classes, 1)
      .whole('channels', channels, 1)
      .whole('patch', patch, 1)
      .expect(areSizes(widths), 'widths', 'a list of whole numbers from 1', widths)
      .expect(
        areSizes(blocks, areSizes(widths) ? widths.length : undefined),
        'blocks',
        'a whole number from 1 for each width',
        blocks,
      )
      .number('layerScale', layerScale, '', () => true)
      .key(key)
      .check("write convnext({ size: 'tiny', classes, key })");
    const conv = (name: string, inputs: number, outputs: number, side: number): Conv2d => {
      const place = deriveKey(key, name);
      return started(new Conv2d(inputs, outputs, side, { key: place, stride: side }), place);
    };
    const [first = 0] = widths;
    const layers = [new Sequential(conv('stem', channels, first, patch), new LayerNorm2d(first, NORM))];
    for (const [stage, width] of widths.entries()) {
      const before = widths[stage - 1];
      if (before !== undefined) {
        layers.push(new Sequential(new LayerNorm2d(before, NORM), conv(`downsample${stage}`, before, width, 2)));
      }
      const places = Array.from({ length: blocks[stage] ?? 0 }, (_, i) => deriveKey(key, `stage${stage}`, i));
      layers.push(new Sequential(...places.map((place) => new ConvnextBlock(width, layerScale, place))));
    }
    const last = widths.at(-1) ?? 0;
    const head = deriveKey(key, 'classifier');
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(
      new LayerNorm2d(last, NORM),
      new Sequential(new Flatten(), new Dropout(headDrop)),
      started(new Linear(last, classes, { key: head }), head),
    );
    nameDropouts(this);
  }

  /**
   * @param x pictures `[B, channels, H, W]`, float
   * @returns logits `[B, classes]`
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => this.classifier.forward(this.avgpool.forward(this.features.forward(x, pass)), pass));
  }
}

/**
 * A ConvNeXt of size tiny, small, base or large, with a site in each block: `features.1.0`, …
 *
 * Keys, shapes and results are those of torchvision's `convnext_tiny` to `convnext_large`, so their weights load from
 * safetensors. It trains them with the depth schedule `linspace` up to a drop rate of 0.1, 0.4, 0.5 and 0.5.
 *
 * Weights start from N(0, 0.02²), biases from 0, layer scales from 10⁻⁶; all a function of the key. Parameters for 1000
 * classes: 28,589,128, 50,223,688, 88,591,464 and 197,767,336.
 *
 * @throws ShallowsError for another size, or numbers that are no whole numbers from 1
 */
export function convnext(options: ConvnextOptions): Convnext {
  return new Convnext(options);
}
