import { ShallowsError, shown } from '../../errors.js';
import { bernoulli, deriveKey, type Key, randint } from '../../random/index.js';
import type { ImageTable } from '../table.js';
import { render } from './render.js';
import { drawScene } from './scene.js';
import { shapes } from './shapes.js';

/** Names of the ten classes of {@link textures}, in the order of their labels. */
export const textureClasses: readonly string[] = shapes.map((shape) => shape.name);

/** Options of {@link textures}. */
export interface TexturesOptions {
  readonly key: Key;
  /** How many pictures, those with the indices 0 to count − 1. */
  readonly count: number;
  /** Share of the labels that are another class, drawn at random; in [0, 1]. */
  readonly noise?: number;
  /** Height and width in pixels. */
  readonly size?: number;
}

/**
 * Generated colour pictures of ten textured shapes, which differ in colour, place, size, rotation, background, clutter
 * and light. Picture i shows shape i mod 10.
 *
 * Row i is a function of (key, i, noise, size) alone: more rows do not change the first ones.
 *
 * @returns `[count, 3, size, size]`
 * @throws ShallowsError for a count, noise or size out of range
 */
export function textures({ key, count, noise = 0, size = 32 }: TexturesOptions): ImageTable {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new ShallowsError(
      `textures: expected a count from 0, got ${shown(count)} - ask for a whole number of pictures`,
    );
  }
  if (!Number.isSafeInteger(size) || size < 8 || size > 4096) {
    throw new ShallowsError(`textures: expected a size from 8 to 4096 pixels, got ${shown(size)} - 32 is usual`);
  }
  const row = 3 * size * size;
  const pixels = new Uint8Array(count * row);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const label = i % shapes.length;
    pixels.set(render(drawScene(key, i, label), size, deriveKey(key, i, 'grain')), i * row);
    labels[i] = noisyLabel(key, i, label, noise);
  }
  return { pixels, labels, shape: [3, size, size] };
}

// A wrong label is never the true one, so that `noise` is the share of wrong labels.
function noisyLabel(key: Key, index: number, label: number, noise: number): number {
  if (!bernoulli(deriveKey(key, 'noise'), noise, index)) return label;
  return (label + 1 + randint(deriveKey(key, 'wrong label'), shapes.length - 1, index)) % shapes.length;
}
