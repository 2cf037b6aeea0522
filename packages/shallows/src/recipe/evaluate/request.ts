import type { Dataset } from '../../data/index.js';
import { monteCarlo } from '../../dropout/index.js';
import { ShallowsError } from '../../errors.js';
import type { Module } from '../../nn/index.js';
import { type ModelInput, zeroRows } from '../model-input.js';
import type { EvaluationSkips } from './skips.js';

/** What an evaluation is to find out besides the metrics, and of which network. */
export interface EvaluationRequest extends EvaluationSkips {
  /** Random passes of each row of the validation set. */
  readonly monteCarlo?: {
    /** T, from 2. */
    readonly passes: number;
    /** What the masks follow from, with the number of the row; 0 unless given. */
    readonly seed?: number;
    /** Rows at a time; the masks do not depend on it. */
    readonly batchSize?: number;
  };
  /** Whether the probabilities of a classifier are as frequent as they say. */
  readonly calibrate?: boolean;
}

/** An evaluation asks for what the run cannot give. */
export class EvaluationRequestError extends ShallowsError {
  override readonly name = 'ShallowsRequestError';
}

/**
 * Checks a request against the data and the model before anything is computed.
 *
 * @throws EvaluationRequestError for a task without these measures, a model without anything random, skips with random passes
 */
export function requireFits(
  { monteCarlo: passes, calibrate = false, skip = [], exitAfter, pruneTo }: EvaluationRequest,
  { task }: Pick<Dataset, 'task'>,
  model: Module,
  input: ModelInput,
): void {
  if (calibrate && task !== 'classification') {
    throw new EvaluationRequestError(
      `evaluateRun: expected a classifier to calibrate, got a ${task} run - leave --calibrate out; --mc counts the coverage of intervals of a regression`,
    );
  }
  if (passes === undefined) return;
  if (task === 'language') {
    throw new EvaluationRequestError(
      'evaluateRun: expected a classification or regression for random passes, got a language run - leave --mc out',
    );
  }
  if (skip.length > 0 || exitAfter !== undefined || pruneTo !== undefined) {
    throw new EvaluationRequestError(
      'evaluateRun: expected random passes of the whole network, got blocks to leave out too - give --mc, or --skip, --exit-after and --prune-to',
    );
  }
  using x = zeroRows(input);
  try {
    monteCarlo(model, x, { passes: 2, seed: 0, output: task === 'regression' ? 'values' : 'logits' }).dispose();
  } catch (cause) {
    if (!(cause instanceof ShallowsError)) throw cause;
    throw new EvaluationRequestError(`${cause.message}: train with model.headDrop=0.2, say, or leave --mc out`, {
      cause,
    });
  }
}
