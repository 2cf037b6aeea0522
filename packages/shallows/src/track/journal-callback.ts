import type { Callback } from '../train/events.js';
import type { JournalWriter } from './journal-writer.js';

/** Writes every event of a training run into its journal. */
export function journalCallback({ journal }: { readonly journal: JournalWriter }): Callback {
  return { onEvent: (event) => journal.record(event) };
}
