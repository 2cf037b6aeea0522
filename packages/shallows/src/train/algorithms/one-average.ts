import { ShallowsError } from '../../errors.js';
import type { Module } from '../../nn/index.js';

const averaged = new WeakSet<Module>();

/**
 * Takes a model for one average of its weights: two would each evaluate, and leave behind, what the other does not.
 *
 * @throws ShallowsError where it has one already
 */
export function claimAverage(fn: string, model: Module): void {
  if (averaged.has(model)) {
    throw new ShallowsError(`${fn}: expected one average of weights in a run, got two - leave ema or swa out`);
  }
  averaged.add(model);
}

/** Gives a model back. */
export function releaseAverage(model: Module): void {
  averaged.delete(model);
}
