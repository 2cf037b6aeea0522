import { RecordedCalls } from './call-counts.js';
import { callsSlot, type Pass, passSlot } from './pass.js';

/**
 * Set on a pass that repeats part of a training forward pass for the sake of its gradients (activation checkpointing): a
 * module that counts or averages over batches has done so already, and must not do it again.
 */
export const recomputingSlot = passSlot<boolean>('recomputing');

/** A stretch of a forward pass that is run twice, from {@link repeatable}. */
export interface Repeatable {
  /** The pass of the first run. */
  readonly first: Pass;
  /** A pass of another run, which draws what the first one drew and moves no statistics. */
  again(): Pass;
}

/**
 * What a stretch of a forward pass needs so that it can be run again for its gradients: give `checkpoint` of `@shallows/torch`
 * a function that runs under `first` at first and under `again()` when it recomputes. A dropout that is called several times
 * in a pass draws by its count of calls; a second run under the same pass would count on and draw other masks.
 */
export function repeatable(pass: Pass): Repeatable {
  const calls = pass.get(callsSlot);
  if (calls === undefined) return { first: pass, again: () => pass.with(recomputingSlot, true) };
  const recorded = new RecordedCalls(calls);
  return {
    first: pass.with(callsSlot, recorded),
    again: () => pass.with(recomputingSlot, true).with(callsSlot, recorded.again()),
  };
}
