import { type Key, randint, uniform } from '../../random/index.js';

/** A part of a picture, in pixels. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** From the least to the most. */
export type Range = readonly [number, number];

/** Times a box is drawn until one fits. */
export const boxAttempts = 10;

/**
 * Sides of a random part of a picture, in whole pixels: `first` = √(area · r) and `second` = √(area / r), with the area a
 * share of the whole, uniform in `scale`, and r log-uniform in `ratio`.
 *
 * @param index which draw under the key
 */
export function drawSides(
  key: Key,
  index: number,
  [height, width]: readonly [number, number],
  scale: Range,
  ratio: Range,
): { readonly first: number; readonly second: number } {
  const area = height * width * between(scale, uniform(key, 2 * index));
  const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
  const aspect = Math.exp(between([low, high], uniform(key, 2 * index + 1)));
  return { first: Math.round(Math.sqrt(area * aspect)), second: Math.round(Math.sqrt(area / aspect)) };
}

/** A box of this size at a random place inside. */
export function placeBox(
  key: Key,
  index: number,
  [height, width]: readonly [number, number],
  sides: { readonly height: number; readonly width: number },
): Box {
  return {
    top: randint(key, height - sides.height + 1, 2 * index),
    left: randint(key, width - sides.width + 1, 2 * index + 1),
    ...sides,
  };
}

/** The number at a share of the way from one end of a range to the other. */
export function between([low, high]: Range, share: number): number {
  return low + (high - low) * share;
}
