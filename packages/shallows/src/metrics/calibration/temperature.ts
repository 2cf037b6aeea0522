import { fromTypedArray, isTensor, noGrad, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, type Key, permutation, rootKey } from '../../random/index.js';
import { type RowTable, type RowValues, sameRows, type Table, toClasses, toTable } from '../statistics/input.js';
import { StateReader } from '../statistics/state.js';
import { chiSquareTail } from '../statistics/tails.js';
import { bestBeta, type TemperatureLoss, temperatureLoss } from './temperature-loss.js';

/** Why no temperature was taken. */
export type TemperatureRefusal = 'too few rows' | 'all right' | 'all wrong' | 'at a bound' | 'no gain on held-out rows';

/** A negative log likelihood, in nats a row, at temperature 1 and at a fitted one. */
export interface BeforeAndAfter {
  readonly before: number;
  readonly after: number;
}

/** A fitted temperature, or the reason why there is none: plain data, as it goes into JSON. */
export interface TemperatureFit {
  /** What logits are divided by: 1 where the fit was refused. */
  readonly temperature: number;
  readonly refusal: TemperatureRefusal | null;
  /** The temperature of least loss on all rows, used or not; `null` where none was computed. */
  readonly estimate: number | null;
  /** T² / √(Σ Var_p(z)): the standard error of the estimate, from the Fisher information. */
  readonly standardError: number | null;
  /** Chance of a fit at least as much better than T = 1 if that is right: the likelihood ratio test. */
  readonly pValue: number | null;
  /** Loss on all rows, which the temperature was fitted to. */
  readonly nll: BeforeAndAfter | null;
  /** Loss on rows that the temperature was not fitted to: each half under the other half's. */
  readonly heldOut: BeforeAndAfter | null;
  readonly count: number;
}

/** How the rows are halved. */
export interface TemperatureOptions {
  /** Decides which rows are in which half. */
  readonly key?: Key;
}

/** Fewer rows tell a temperature to no better than about ten per cent. */
const FEWEST = 100;

/**
 * Temperature scaling: the T for which softmax(z / T) has the least negative log likelihood.
 *
 * The loss is convex in 1 / T, so bisection on ln(1 / T) in [−16, 16] finds its minimum from any start. Refused, with T = 1,
 * where the answer would not hold: fewer than 100 rows, every row right or every row wrong, the minimum at a bound, or no lower
 * loss on rows held out (each half of the rows is scored with the temperature of the other half). Fit on validation rows,
 * never on those that are reported.
 *
 * @param logits `[N, C]`
 * @param targets classes `[N]`
 * @throws ShallowsError for other shapes, logits that are not finite, or classes that the logits do not have
 * @see Guo et al., "On calibration of modern neural networks", 2017
 */
export function fitTemperature(
  logits: RowTable,
  targets: RowValues,
  { key = rootKey(0) }: TemperatureOptions = {},
): TemperatureFit {
  return noGrad(() =>
    scope(() => {
      const z = logitTensor(logits);
      const [count = 0, classes = 0] = z.shape;
      const labels = toClasses('fitTemperature', 'targets', targets, classes);
      sameRows('fitTemperature', count, labels.length);
      const y = fromTypedArray(BigInt64Array.from(labels, BigInt), [count], { device: z.device });
      return fit(z, y, key);
    }),
  );
}

function fit(z: Tensor, y: Tensor, key: Key): TemperatureFit {
  const [count = 0] = z.shape;
  const none = { temperature: 1, estimate: null, standardError: null, pValue: null, nll: null, heldOut: null, count };
  if (count < FEWEST) return { ...none, refusal: 'too few rows' };
  const right = z.argmax(1).eq(y).sum().item();
  if (right === count || right === 0) return { ...none, refusal: right === 0 ? 'all wrong' : 'all right' };
  const beta = bestBeta(z, y);
  if (beta === null) return { ...none, refusal: 'at a bound' };

  const before = temperatureLoss(z, y, 1);
  const after = temperatureLoss(z, y, beta);
  const heldOut = crossFitted(z, y, key);
  const estimate = 1 / beta;
  const refused = !(heldOut.after < heldOut.before);
  return {
    temperature: refused ? 1 : estimate,
    refusal: refused ? 'no gain on held-out rows' : null,
    estimate,
    standardError: estimate ** 2 / Math.sqrt(count * after.curvature),
    pValue: chiSquareTail(Math.max(0, 2 * count * (before.nll - after.nll)), 1),
    nll: { before: before.nll, after: after.nll },
    heldOut,
    count,
  };
}

/** The loss of each half under the temperature of the other; at a bound it has none, and 1 stands for it. */
function crossFitted(z: Tensor, y: Tensor, key: Key): BeforeAndAfter {
  const [count = 0] = z.shape;
  const order = permutation(deriveKey(key, 'halves'), count);
  const halves = [order.subarray(0, Math.ceil(count / 2)), order.subarray(Math.ceil(count / 2))].map((rows) => {
    const index = fromTypedArray(BigInt64Array.from(rows, BigInt), [rows.length], { device: z.device });
    return { z: z.indexSelect(0, index), y: y.indexSelect(0, index), share: rows.length / count };
  });
  let [before, after] = [0, 0];
  for (const [i, half] of halves.entries()) {
    const other = halves[1 - i] ?? half;
    const loss = (beta: number): TemperatureLoss => temperatureLoss(half.z, half.y, beta);
    before += half.share * loss(1).nll;
    after += half.share * loss(bestBeta(other.z, other.y) ?? 1).nll;
  }
  return { before, after };
}

function logitTensor(logits: RowTable): Tensor {
  const fn = 'fitTemperature';
  const z = isTensor(logits) ? logits : ofTable(toTable(fn, 'logits', logits));
  const { shape, dtype } = z;
  if (shape.length !== 2 || (shape[1] ?? 0) < 2 || !dtype.includes('float')) {
    throw new ShallowsError(
      `${fn}: expected floating-point logits [N, C] of at least two classes, got ${dtype} [${shape.join(', ')}] - give 0 and z for one sigmoid`,
    );
  }
  if (!z.isfinite().all().item()) {
    throw new ShallowsError(`${fn}: expected finite logits, got others - look for their cause`);
  }
  // Apple's GPUs have no float64.
  return z.device.startsWith('mps') ? z.to('cpu') : z;
}

function ofTable({ values, rows, columns }: Table): Tensor {
  return fromTypedArray(values, [rows, columns]);
}

/**
 * logits / T. The order of the classes stays as it is, and so do the predictions.
 *
 * @param logits any shape
 * @param fit a fit, or a temperature above 0
 * @returns shaped as the logits, in their dtype
 * @throws ShallowsError for another temperature
 */
export function applyTemperature(logits: Tensor, fit: TemperatureFit | number): Tensor {
  const temperature = typeof fit === 'number' ? fit : fit.temperature;
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new ShallowsError(
      `applyTemperature: expected a temperature above 0, got ${shown(temperature)} - fit one first`,
    );
  }
  return logits.div(temperature);
}

/** The temperature of a fit that went through JSON. @throws ShallowsError for other data, or one of 0 or less */
export function temperatureFromJSON(state: unknown): number {
  const temperature = new StateReader('temperatureFromJSON', state).number('temperature', 0);
  if (temperature > 0) return temperature;
  throw new ShallowsError('temperatureFromJSON: expected a temperature above 0, got 0 - give a TemperatureFit');
}
