import { createHash } from 'node:crypto';
import { fromTypedArray } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, type Key, normal, uniforms } from '../../random/index.js';
import { arrayDataset } from '../array-dataset.js';
import type { Limit } from '../config.js';
import type { Dataset } from '../dataset.js';
import { type DataSplits, dataSplits } from '../splits.js';

/** The generated regression set: see `friedman`. */
export interface FriedmanConfig {
  readonly kind: 'friedman';
  readonly train: number;
  readonly validation: number;
  /** Standard deviation of what is added to the training targets; validation targets are exact. */
  readonly noise?: number | undefined;
  /** At least 5; those after the fifth say nothing. */
  readonly features?: number | undefined;
  readonly limit?: Limit | undefined;
}

/** Options of {@link friedman}. */
export interface FriedmanOptions {
  readonly key: Key;
  /** How many rows, those with the indices 0 to count − 1. */
  readonly count: number;
  readonly noise?: number;
  readonly features?: number;
}

/**
 * Friedman's first regression problem: features uniform in [0, 1), target
 * y = 10 sin(π x₁ x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + noise · N(0, 1). The other features say nothing.
 *
 * Row i is a function of (key, i) and the options: more rows do not change the first ones.
 *
 * @returns features `[count, features]` and targets `[count]`, row by row
 * @see Friedman, "Multivariate adaptive regression splines", 1991
 */
export function friedman({ key, count, noise = 1, features = 10 }: FriedmanOptions): {
  readonly inputs: Float32Array;
  readonly targets: Float32Array;
} {
  const refuse = (name: string, expected: string, got: unknown): never => {
    throw new ShallowsError(`friedman: expected ${expected} as ${name}, got ${shown(got)} - correct it`);
  };
  if (!Number.isSafeInteger(count) || count < 1) refuse('count', 'a whole number from 1', count);
  if (!Number.isSafeInteger(features) || features < 5) refuse('features', 'a whole number from 5', features);
  if (!(noise >= 0 && noise < Number.POSITIVE_INFINITY)) refuse('noise', 'a number from 0', noise);
  const inputs = new Float32Array(count * features);
  const targets = new Float32Array(count);
  const noiseKey = deriveKey(key, 'noise');
  for (let i = 0; i < count; i++) {
    const x = uniforms(deriveKey(key, i), features);
    inputs.set(x, i * features);
    targets[i] = friedmanTarget(x) + noise * normal(noiseKey, i);
  }
  return { inputs, targets };
}

/** @internal The exact target of a row of features. */
export function friedmanTarget([a = 0, b = 0, c = 0, d = 0, e = 0]: Iterable<number> & ArrayLike<number>): number {
  return 10 * Math.sin(Math.PI * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e;
}

/** Generates the training and validation rows of a configuration. */
export function generateFriedman(config: FriedmanConfig, key: Key): DataSplits {
  const { train, validation, noise = 1, features = 10, limit = {} } = config;
  const part = (name: 'train' | 'validation', count: number, std: number): Dataset => {
    const rows = Math.min(count, limit[name] ?? count);
    const { inputs, targets } = friedman({ key: deriveKey(key, name), count: rows, noise: std, features });
    const hash = createHash('sha256').update(`${JSON.stringify({ task: 'regression', rows, features })}\n`);
    hash.update(new Uint8Array(inputs.buffer)).update(new Uint8Array(targets.buffer));
    return arrayDataset({
      name: `friedman/${name}`,
      task: 'regression',
      digest: hash.digest('hex'),
      inputs: fromTypedArray(inputs, [rows, features]),
      targets: fromTypedArray(targets, [rows, 1]),
    });
  };
  return dataSplits(part('train', train, noise), part('validation', validation, 0), { features });
}
