import { ShallowsError } from '../../errors.js';
import type { DataFacts, WholeBatch } from '../algorithm.js';
import { type Mix, mixInputs, mixTargets } from './mixing.js';

/** @throws ShallowsError for data whose rows cannot be mixed */
export function requireMixable(fn: string, { task, inputShape }: DataFacts, pictures: boolean): void {
  if (task === 'language') {
    throw new ShallowsError(`${fn}: expected a task with one target a row, got language - tokens cannot be mixed`);
  }
  if (!pictures || inputShape.length === 3) return;
  throw new ShallowsError(
    `${fn}: expected pictures [C, H, W], got inputs [${inputShape.join(', ')}] - mixUp mixes inputs of any shape`,
  );
}

/**
 * Puts mixed inputs and targets into a batch.
 *
 * @throws ShallowsError for inputs of integers
 */
export function replaceBatch(fn: string, batch: WholeBatch, mix: Mix, classes: number | null): void {
  const { dtype } = batch.inputs;
  if (!dtype.startsWith('float') && dtype !== 'bfloat16') {
    throw new ShallowsError(
      `${fn}: expected inputs of a floating dtype, got ${dtype} - numbers of things cannot be mixed`,
    );
  }
  const { inputs, targets } = batch;
  batch.inputs = mixInputs(inputs, mix);
  batch.targets = mixTargets(targets, mix, classes);
}
