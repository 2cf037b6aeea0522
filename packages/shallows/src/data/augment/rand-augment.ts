import type { Tensor } from '@shallows/torch';
import { deriveKey, type Key, randint } from '../../random/index.js';
import { type AffineMatrix, applyAffine, inverseAffine } from './affine.js';
import { adjustBrightness, adjustContrast, adjustSaturation } from './colour.js';
import { changeRows } from './rows.js';
import { adjustSharpness, autoContrast, equalize, posterize, solarize } from './tone.js';

/** How pictures are changed by {@link applyRandAugment}. */
export interface RandAugmentSettings {
  /** Changes of a picture, one after the other. */
  readonly operations: number;
  /** How strong they are, from 0 to `bins` − 1. */
  readonly magnitude: number;
  readonly bins: number;
}

/** The changes, in torchvision's order: a draw is a place in this list. */
export const randAugmentNames = [
  'identity',
  'shearX',
  'shearY',
  'translateX',
  'translateY',
  'rotate',
  'brightness',
  'colour',
  'contrast',
  'sharpness',
  'posterize',
  'solarize',
  'autoContrast',
  'equalize',
] as const;

/** One of {@link randAugmentNames}. */
export type RandAugmentName = (typeof randAugmentNames)[number];

/** A change of one picture. */
export interface RandAugmentDraw {
  readonly name: RandAugmentName;
  /** With its sign. */
  readonly magnitude: number;
}

/**
 * Draws the changes of some rows of a dataset: for each row a function of (key, row).
 *
 * @returns for each of the `operations` the draw of each row
 * @see Cubuk et al., "RandAugment: practical automated data augmentation with a reduced search space", 2019; torchvision 0.28
 */
export function drawRandAugment(
  { operations, magnitude, bins }: RandAugmentSettings,
  key: Key,
  rows: Uint32Array,
  size: readonly [number, number],
): RandAugmentDraw[][] {
  const signs = deriveKey(key, 'sign');
  return Array.from({ length: operations }, (_, turn) =>
    Array.from(rows, (row) => {
      const index = row * operations + turn;
      const name = randAugmentNames[randint(key, randAugmentNames.length, index)] ?? 'identity';
      const { value, signed } = randAugmentMagnitude(name, magnitude, bins, size);
      return { name, magnitude: signed && randint(signs, 2, index) === 1 ? -value : value };
    }),
  );
}

/** How strong a change is at a magnitude, and whether it goes both ways. */
export function randAugmentMagnitude(
  name: RandAugmentName,
  magnitude: number,
  bins: number,
  [height, width]: readonly [number, number],
): { readonly value: number; readonly signed: boolean } {
  const upTo = (most: number): { value: number; signed: boolean } => ({
    value: at(0, most, magnitude, bins),
    signed: true,
  });
  switch (name) {
    case 'shearX':
    case 'shearY':
      return upTo(0.3);
    case 'translateX':
      return upTo((150 / 331) * width);
    case 'translateY':
      return upTo((150 / 331) * height);
    case 'rotate':
      return upTo(30);
    case 'brightness':
    case 'colour':
    case 'contrast':
    case 'sharpness':
      return upTo(0.9);
    case 'posterize':
      return { value: 8 - roundHalfEven(magnitude / ((bins - 1) / 4)), signed: false };
    case 'solarize':
      return { value: at(255, 0, magnitude, bins), signed: false };
    default:
      return { value: 0, signed: false };
  }
}

/** Entry i of `torch.linspace` in float32, which counts from the nearer end. */
function at(from: number, to: number, i: number, bins: number): number {
  const [start, end] = [Math.fround(from), Math.fround(to)];
  const step = Math.fround((end - start) / (bins - 1));
  return Math.fround(i < bins / 2 ? start + step * i : end - step * (bins - 1 - i));
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

/** Makes the drawn changes: pictures with the same one together. @param images uint8 `[B, 1 or 3, H, W]` */
export function applyRandAugment(images: Tensor, draws: readonly (readonly RandAugmentDraw[])[]): Tensor {
  const [, , height = 0, width = 0] = images.shape;
  let result = images;
  for (const turn of draws) {
    const moved = turn.flatMap(({ name }, row) => (isMove(name) ? [row] : []));
    const matrices = moved.map((row) => matrixOf(turn[row], height, width));
    result = changeRows(result, moved, (some) => applyAffine(some, matrices));
    for (const name of randAugmentNames) {
      if (name === 'identity' || isMove(name)) continue;
      const rows = turn.flatMap((draw, row) => (draw.name === name ? [row] : []));
      const magnitudes = rows.map((row) => turn[row]?.magnitude ?? 0);
      result = changeRows(result, rows, (some) => changeTone(name, some, magnitudes));
    }
  }
  return result;
}

type Move = 'shearX' | 'shearY' | 'translateX' | 'translateY' | 'rotate';

function isMove(name: RandAugmentName): name is Move {
  return name === 'rotate' || name.startsWith('shear') || name.startsWith('translate');
}

function matrixOf(draw: RandAugmentDraw | undefined, height: number, width: number): AffineMatrix {
  const { name, magnitude } = draw ?? { name: 'identity', magnitude: 0 };
  const degrees = (Math.atan(magnitude) * 180) / Math.PI;
  // torchvision shears about the upper left corner.
  const centre = [-0.5 * width, -0.5 * height] as const;
  switch (name) {
    case 'shearX':
      return inverseAffine({ shear: [degrees, 0], centre });
    case 'shearY':
      return inverseAffine({ shear: [0, degrees], centre });
    case 'translateX':
      return inverseAffine({ shift: [Math.trunc(magnitude), 0] });
    case 'translateY':
      return inverseAffine({ shift: [0, Math.trunc(magnitude)] });
    case 'rotate':
      return inverseAffine({ angle: -magnitude });
    default:
      return inverseAffine({});
  }
}

function changeTone(
  name: Exclude<RandAugmentName, Move | 'identity'>,
  images: Tensor,
  magnitudes: readonly number[],
): Tensor {
  const factors = magnitudes.map((magnitude) => 1 + magnitude);
  // Magnitudes without a sign are the same for all pictures.
  const [magnitude = 0] = magnitudes;
  switch (name) {
    case 'brightness':
      return adjustBrightness(images, factors);
    case 'colour':
      return adjustSaturation(images, factors);
    case 'contrast':
      return adjustContrast(images, factors);
    case 'sharpness':
      return adjustSharpness(images, factors);
    case 'posterize':
      return posterize(images, magnitude);
    case 'solarize':
      return solarize(images, magnitude);
    case 'autoContrast':
      return autoContrast(images);
    case 'equalize':
      return equalize(images);
  }
}
