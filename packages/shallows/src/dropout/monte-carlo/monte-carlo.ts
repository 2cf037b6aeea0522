import { keep, noGrad, ops, scope, type Tensor } from '@shallows/torch';
import type { Policy } from '../../depth/index.js';
import { ShallowsError, shown } from '../../errors.js';
import type { AnyModule, Module, Pass } from '../../nn/index.js';
import type { Key } from '../../random/key.js';
import { nameDropouts } from '../name-dropouts.js';
import { type ClassificationUncertainty, classificationUncertainty } from '../statistics/classification.js';
import { type RegressionNoise, type RegressionUncertainty, regressionUncertainty } from '../statistics/regression.js';
import { chosenSites } from './chosen-sites.js';
import { randomDepth } from './depth.js';
import { maskKeys } from './keys.js';
import { type PassFacts, PassRunner } from './runner.js';
import { type AdaptiveOptions, completeAdaptive, isSettled } from './settled.js';

/** Options of {@link monteCarlo}. */
export interface MonteCarloOptions {
  /** How many passes; with `adaptive` or a deadline, at most. From 2. */
  readonly passes?: number;
  /** What all masks follow from, with the request and the number of the pass. */
  readonly seed: number | bigint | Key;
  /** What each row is asked for, such as `id/0`; its number in the batch unless given. Equal requests get equal masks. */
  readonly requests?: readonly (string | number)[];
  /** Whether all rows have the same masks in a pass: one sample of the network's functions, as batch selection needs it. */
  readonly consistent?: boolean;
  /** Names of the only places that are random, of dropouts and of stochastic depth; `*` stands for any part: `blocks.*.mlp`. */
  readonly sites?: readonly string[];
  /** Stops when the numbers are known well enough; `true` for the defaults. */
  readonly adaptive?: boolean | AdaptiveOptions;
  /** Milliseconds after which no more passes start; two run in any case. */
  readonly deadlineMs?: number;
  /** What the outputs are: logits of classes `[B, C]`, their probabilities, or values `[B]` or `[B, K]`. */
  readonly output?: 'logits' | 'probabilities' | 'values';
  /** For values: what is known of the noise beside the model's disagreement with itself. */
  readonly noise?: Pick<RegressionNoise, 'precision'>;
  /** How branches that stochastic depth keeps are scaled; as the model's evaluation suggests unless given. */
  readonly scale?: Policy['scale'];
  /**
   * Whether passes that run together must give what each gives alone, to the last bit. Where libtorch's kernels compute a
   * large batch otherwise than a small one (mostly of one or two rows), they then run one by one.
   */
  readonly exact?: boolean;
  /**
   * Bytes that the operators after the first random place may put out in one call, all together: 2 GiB unless given. A small
   * part of them is alive at once.
   */
  readonly memoryBytes?: number;
}

/** What a Monte-Carlo prediction gave. */
export interface MonteCarloResult extends Disposable {
  /** What each pass gave, `[T, B, …]`: probabilities where the outputs are logits. Freed by `dispose`. */
  readonly samples: Tensor;
  /** T: the passes that ran. */
  readonly passes: number;
  /** Why there were no more. */
  readonly stopped: 'passes' | 'tolerance' | 'deadline';
  /** Null for values. */
  readonly classification: ClassificationUncertainty | null;
  /** Null for classes. */
  readonly regression: RegressionUncertainty | null;
  readonly facts: PassFacts;
  dispose(): void;
}

/** A model that takes a batch and a pass. */
export type PredictiveModel = Module<readonly [x: Tensor]> & AnyModule;

/**
 * Predicts with T random passes through a trained model (Monte-Carlo dropout and Monte-Carlo stochastic depth): their mean,
 * how far they disagree, and how well T passes tell it.
 *
 * Batch norm stays in evaluation. What comes before the first random place runs once, the rest for as many passes at once as
 * memory allows; the samples are those of `model.forward(x, pass t)` one after the other. Masks are functions of (seed,
 * request, pass, place): the same request is answered the same in any batch, up to the rounding of kernels that depend on the
 * number of rows. Operators that draw without a key (a bare `dropout` in a user's `forward`) are seeded for each pass, but
 * for the batch as a whole.
 *
 * @param x `[B, …]`
 * @throws ShallowsError for a model without anything random, options out of range, or outputs that are no rows of numbers
 * @see Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016, https://arxiv.org/abs/1506.02142
 */
export function monteCarlo(model: PredictiveModel, x: Tensor, options: MonteCarloOptions): MonteCarloResult {
  const { passes = 30, output = 'logits', deadlineMs = Number.POSITIVE_INFINITY, noise = {} } = options;
  const rows = x.shape[0] ?? 0;
  requireOptions(passes, rows, options);
  const adaptive = completeAdaptive(options.adaptive ?? false, output);
  const start = performance.now();
  using runner = runnerOf(model, x.shape, options, (pass) => model.forward(x, pass));
  const { samples, stopped } = noGrad(() =>
    scope(() => {
      const first = runner.first();
      requireRows(first, rows, output);
      const all = [first];
      let stopped: MonteCarloResult['stopped'] = 'passes';
      while (all.length < passes) {
        const next =
          adaptive === null
            ? passes
            : Math.min(passes, all.length < adaptive.start ? adaptive.start : all.length + adaptive.step);
        const until = Number.isFinite(deadlineMs) ? Math.min(next, Math.max(2, 2 * all.length)) : next;
        all.push(...runner.passes(all.length, until, first));
        if (
          all.length < passes &&
          adaptive !== null &&
          all.length >= adaptive.start &&
          isSettled(stacked(all, output), output, adaptive)
        ) {
          stopped = 'tolerance';
          break;
        }
        if (all.length < passes && performance.now() - start >= deadlineMs) {
          stopped = 'deadline';
          break;
        }
      }
      return { samples: keep(stacked(all, output)), stopped };
    }),
  );
  const dispose = (): void => samples.dispose();
  try {
    const regression = output === 'values' ? regressionUncertainty(samples, noise) : null;
    const classification = output === 'values' ? null : classificationUncertainty(samples);
    const facts = runner.facts();
    return {
      samples,
      passes: samples.shape[0] ?? 0,
      stopped,
      classification,
      regression,
      facts,
      dispose,
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/**
 * The pass that {@link monteCarlo} runs as number t of some rows: for loops of one's own, and to look at one sample again.
 */
export function monteCarloPassAt(
  model: PredictiveModel,
  t: number,
  options: Pick<MonteCarloOptions, 'seed' | 'requests' | 'consistent' | 'sites' | 'scale'> & { readonly rows: number },
): Pass {
  if (!Number.isSafeInteger(t) || t < 0) {
    throw new ShallowsError(`monteCarloPassAt: expected the number of a pass from 0, got ${shown(t)} - count from 0`);
  }
  return runnerOf(model, [options.rows], options, () => {
    throw new ShallowsError('monteCarloPassAt: expected no forward pass');
  }).passAt([t]);
}

function runnerOf(
  model: PredictiveModel,
  shape: readonly number[],
  options: MonteCarloOptions,
  forward: (pass: Pass) => Tensor,
): PassRunner {
  const {
    seed,
    requests = null,
    consistent = false,
    sites,
    scale = null,
    exact = true,
    memoryBytes = 2 ** 31,
  } = options;
  const rows = shape[0] ?? 0;
  const depth = randomDepth(model, scale);
  const active = sites === undefined ? null : chosenSites(model, depth, sites);
  const varying = [
    ...depth.sites,
    ...nameDropouts(model).filter(({ kind, rate }) => kind === 'layer-drop' && rate > 0),
  ];
  return new PassRunner({
    forward,
    model,
    rows,
    shape,
    keys: maskKeys({ seed, rows, requests, consistent }),
    depth,
    active,
    exact,
    rowsVary: varying.some(({ name }) => active === null || active.has(name)),
    memoryBytes,
  });
}

function stacked(all: readonly Tensor[], output: MonteCarloOptions['output']): Tensor {
  const stack = ops.aten.stack.default(all) as Tensor;
  return output === 'logits' || output === undefined
    ? (ops.aten.softmax.int(stack.to('float32'), -1) as Tensor)
    : stack;
}

function requireOptions(passes: number, rows: number, { deadlineMs = 1, memoryBytes = 1 }: MonteCarloOptions): void {
  if (!Number.isSafeInteger(passes) || passes < 2) {
    throw new ShallowsError(
      `monteCarlo: expected 2 passes or more, got ${shown(passes)} - one says nothing of its spread`,
    );
  }
  if (rows === 0) throw new ShallowsError('monteCarlo: expected a batch with rows, got none - give [B, …]');
  if (!(deadlineMs > 0)) {
    throw new ShallowsError(
      `monteCarlo: expected a deadline above 0 ms, got ${shown(deadlineMs)} - leave it out for none`,
    );
  }
  if (!(memoryBytes > 0)) {
    throw new ShallowsError(`monteCarlo: expected memoryBytes above 0, got ${shown(memoryBytes)} - 2 ** 30 is 1 GiB`);
  }
}

function requireRows(first: Tensor, rows: number, output: NonNullable<MonteCarloOptions['output']>): void {
  const { shape, dtype } = first;
  const fits = output === 'values' ? shape.length === 1 || shape.length === 2 : shape.length === 2;
  if (shape[0] === rows && fits && dtype.includes('float')) return;
  const wanted = output === 'values' ? `[${rows}] or [${rows}, K]` : `[${rows}, C]`;
  throw new ShallowsError(
    `monteCarlo: expected ${output} ${wanted} from the model, got ${dtype} [${shape.join(', ')}] - give output: 'values' for a ` +
      'regression, and flatten what has more dimensions',
  );
}
