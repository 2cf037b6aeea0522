import type { Algorithm } from '../train/algorithm.js';
import type { Run } from './run.js';

/**
 * Sees to it that a snapshot is never newer than the journal: what the journal holds back is written and synced before each
 * snapshot is taken. Give it to the trainer as one of its algorithms.
 *
 * @param run null on processes that keep no record, which then do nothing
 */
export function journalKeeper(run: Run | null): Algorithm {
  return { name: 'journal-keeper', onCheckpointStart: () => run?.journal.sync() };
}
