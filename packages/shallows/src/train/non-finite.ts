import { ShallowsError } from '../errors.js';
import type { TrainEvent } from './events.js';
import type { BatchName } from './loss-window.js';
import type { Run } from './run.js';

/** Batches one after the other that may be left out: what goes on for longer does not end by itself. */
const MOST_IN_A_ROW = 20;

type NonFiniteEvent = Extract<TrainEvent, { kind: 'non-finite' }>;

/** What the run tells of a batch that was not finite; after `lower` the learning rate is half of what it was. */
export function nonFiniteEvent(run: Run, name: BatchName, loss: number): NonFiniteEvent {
  const action = run.options.onNonFinite;
  if (action === 'lower') run.lrFactor /= 2;
  return {
    kind: 'non-finite',
    at: run.clock.progress(),
    action,
    epoch: name.epoch,
    batch: name.batchInEpoch,
    indices: [...name.indices],
    loss,
    lrFactor: run.lrFactor,
  };
}

/** The error that ends a run at a batch. */
export function nonFiniteError(
  run: Run,
  { batch, epoch, batchInEpoch, indices }: BatchName,
  loss: number,
): ShallowsError {
  const shown = [...indices.slice(0, 8)].join(', ');
  const more = indices.length > 8 ? ` and ${indices.length - 8} more` : '';
  const got = Number.isFinite(loss) ? `${loss} with gradients that are not` : String(loss);
  const where = `batch ${batch} (epoch ${epoch}, batch ${batchInEpoch} of it, rows ${shown}${more} of the training set)`;
  return run.options.onNonFinite === 'stop'
    ? new ShallowsError(
        `Trainer: expected a finite loss, got ${got} in ${where} - lower the learning rate, warm it up, or set onNonFinite to skip or lower`,
      )
    : new ShallowsError(
        `Trainer: expected a finite loss within ${MOST_IN_A_ROW} batches, got none up to ${where} - look at the data and the weights that the run began with`,
      );
}

/** Whether so many batches were left out that the run cannot go on. */
export function isHopeless({ badInARow }: Run): boolean {
  return badInARow > MOST_IN_A_ROW;
}
