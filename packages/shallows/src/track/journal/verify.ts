import { contentOf, type Journal, type ReadJournalOptions, tornOf } from './reader.js';
import { type BrokenLine, scan } from './scan.js';

/** What the check of a journal's chain found. */
export interface JournalCheck {
  /** Whole lines before the first broken one, and the digest of the last. */
  readonly head: Journal['head'];
  /** The first broken line; null where the chain holds. */
  readonly broken: BrokenLine | null;
  readonly torn: Journal['torn'];
}

/**
 * Checks the chain of a journal, line by line, and finds the first that was changed, left out or put in.
 *
 * Lines cut off at the end leave a chain that holds: compare `head` with the one in the record of the finished run, as
 * `verifyRun` does.
 *
 * @throws ShallowsError for a file that cannot be read
 */
export async function verifyJournal(path: string, { genesis }: ReadJournalOptions = {}): Promise<JournalCheck> {
  const found = scan(await contentOf(path, 'verifyJournal'), genesis ?? null);
  return { head: found.head, broken: found.broken, torn: tornOf(found) };
}
