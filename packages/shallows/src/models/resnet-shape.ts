import type { DropRate } from '../dropout/index.js';
import { Settings } from '../nn/settings.js';
import type { Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import { areSizes } from './sizes.js';

/** Layers with weights of the published networks. */
export type ResnetDepth = 18 | 34 | 50 | 101 | 152;

/** How a network begins: for pictures of hundreds of pixels, or of tens. */
export type ResnetStem = 'imagenet' | 'cifar';

/** Options that {@link resnet} and {@link preactResnet} share. */
export interface ResnetShapeOptions {
  /** Says which block, and how many of them in each stage: basic blocks to 34, bottlenecks from 50. */
  readonly depth: ResnetDepth;
  readonly classes: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Channels of the pictures: 3 for colour, 1 for grey. */
  readonly channels?: number;
  /** `imagenet`: a 7×7 convolution and a max-pool, to a quarter of the size. `cifar`: a 3×3 convolution, the size stays. */
  readonly stem?: ResnetStem;
  /** Blocks of each of the four stages, in place of the depth's. */
  readonly blocks?: readonly number[];
  /** Channels of each stage, before a bottleneck's factor of 4. */
  readonly widths?: readonly number[];
  /** Groups of a bottleneck's 3×3 convolution: 32 in ResNeXt. */
  readonly groups?: number;
  /** Channels of each such group for every 64 of the stage's: 4 in ResNeXt-50 32×4d, 128 in the wide ResNets. */
  readonly groupWidth?: number;
  /** Rate of a dropout before the last layer. */
  readonly headDrop?: DropRate;
}

/** The options with every default filled in, and the kind of the blocks. */
export interface ResnetShape extends Required<ResnetShapeOptions> {
  readonly kind: 'basic' | 'bottleneck';
}

const published = {
  18: { kind: 'basic', blocks: [2, 2, 2, 2] },
  34: { kind: 'basic', blocks: [3, 4, 6, 3] },
  50: { kind: 'bottleneck', blocks: [3, 4, 6, 3] },
  101: { kind: 'bottleneck', blocks: [3, 4, 23, 3] },
  152: { kind: 'bottleneck', blocks: [3, 8, 36, 3] },
} as const;

/**
 * Checks the shape of a residual network and fills in what was left out.
 *
 * @param fn whose options they are, for the message
 * @param settings what is to be reported with them
 * @throws ShallowsError naming all that is wrong
 */
export function resnetShape(fn: string, options: ResnetShapeOptions, settings = new Settings(fn)): ResnetShape {
  const { depth, classes, key, channels = 3, stem = 'imagenet', headDrop = 0 } = options;
  const known = typeof depth === 'number' && Object.hasOwn(published, depth);
  const { kind, blocks: usual } = published[known ? depth : 18];
  const { blocks = usual, widths = [64, 128, 256, 512], groups = 1, groupWidth = 64 } = options;
  const plain = kind === 'bottleneck' || (groups === 1 && groupWidth === 64);
  const inner = areSizes(widths) ? innerWidth(Math.min(...widths), groups, groupWidth) : 1;
  checkRates(settings, { headDrop })
    .expect(known, 'depth', '18, 34, 50, 101 or 152', depth)
    .whole('classes', classes, 1)
    .whole('channels', channels, 1)
    .word('stem', stem, ['imagenet', 'cifar'])
    .expect(areSizes(blocks, 4), 'blocks', 'four whole numbers from 1', blocks)
    .expect(areSizes(widths, 4), 'widths', 'four whole numbers from 1', widths)
    .whole('groups', groups, 1)
    .whole('groupWidth', groupWidth, 1)
    .expect(plain, 'groups and groupWidth', '1 and 64 in basic blocks', [groups, groupWidth])
    .expect(!(inner < 1), 'groupWidth', 'a channel or more in each group of the narrowest stage', groupWidth)
    .key(key)
    .check(`write ${fn}({ depth: 50, classes, key })`);
  return { kind, depth, classes, key, channels, stem, blocks, widths, groups, groupWidth, headDrop };
}

/** Channels inside a bottleneck: `groupWidth / 64` of the stage's, in each group. */
export function innerWidth(width: number, groups: number, groupWidth: number): number {
  return Math.floor((width * groupWidth) / 64) * groups;
}
