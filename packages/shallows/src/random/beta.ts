import { ShallowsError, shown } from '../errors.js';
import { uniform } from './draws.js';
import { deriveKey, type Key } from './key.js';
import { normal } from './normals.js';

/**
 * A number of the gamma distribution with density x^(a − 1)·e^(−x) / Γ(a): a function of the key.
 *
 * @param shape a, above 0
 * @throws ShallowsError for another shape
 * @see Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; below a = 1 by G(a + 1)·U^(1/a)
 */
export function gamma(key: Key, shape: number): number {
  requireShape('gamma', shape);
  return Math.exp(logGamma(key, shape));
}

/**
 * A number in [0, 1] of the beta distribution with density ∝ x^(a − 1)·(1 − x)^(b − 1): a function of the key. The
 * quotient G(a) / (G(a) + G(b)) of two gamma numbers, taken of their logarithms: small shapes do not underflow.
 *
 * @param a above 0
 * @param b above 0
 * @throws ShallowsError for other shapes
 */
export function beta(key: Key, a: number, b: number): number {
  requireShape('beta', a);
  requireShape('beta', b);
  const difference = logGamma(deriveKey(key, 'b'), b) - logGamma(deriveKey(key, 'a'), a);
  return 1 / (1 + Math.exp(difference));
}

function logGamma(key: Key, shape: number): number {
  if (shape >= 1) return logGammaFromOne(key, shape);
  // 1 − U is in (0, 1], so its logarithm is finite.
  const boost = Math.log1p(-uniform(deriveKey(key, 'boost'))) / shape;
  return logGammaFromOne(key, shape + 1) + boost;
}

function logGammaFromOne(key: Key, shape: number): number {
  const normals = deriveKey(key, 'normal');
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let attempt = 0; ; attempt++) {
    const x = normal(normals, attempt);
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root ** 3;
    const u = 1 - uniform(key, attempt);
    if (Math.log(u) < (x * x) / 2 + d - d * v + d * Math.log(v)) return Math.log(d) + 3 * Math.log(root);
  }
}

function requireShape(fn: string, shape: number): void {
  if (shape > 0 && shape < Number.POSITIVE_INFINITY) return;
  throw new ShallowsError(
    `${fn}: expected a shape above 0, got ${shown(shape)} - 1 and 1 are the uniform distribution`,
  );
}
