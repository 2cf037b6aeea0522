import { readFile } from 'node:fs/promises';
import { ShallowsError } from '../../errors.js';
import { codeOf } from '../../files/index.js';
import { type Resolved, resolveRewinds } from './rewind.js';
import { type Scan, scan } from './scan.js';

/** A journal as it was found. */
export interface Journal extends Resolved {
  /** The line that a killed writer left unfinished, or that is being written: its number from 1 and its length. It is not among `lines`. */
  readonly torn: { readonly line: number; readonly bytes: number } | null;
  /** Whole lines in the file, and the digest of the last. */
  readonly head: { readonly lines: number; readonly digest: string };
  /** Lines of kinds that this version does not know, which are left out. */
  readonly unknown: number;
}

/** Options of {@link readJournal}. */
export interface ReadJournalOptions {
  /** What the first line must follow on: `journalGenesis` of the run's record. Any, unless given. */
  readonly genesis?: string;
}

/**
 * Reads a journal, also while it is written. The last line counts only with its newline: without one it was cut off, and is
 * reported as torn.
 *
 * @throws ShallowsError naming the line, for a missing file, a line whose digest is not that of its content, one that does
 *   not follow on the line before it, a wrong shape
 */
export async function readJournal(path: string, { genesis }: ReadJournalOptions = {}): Promise<Journal> {
  const found = scan(await contentOf(path, 'readJournal'), genesis ?? null);
  const { broken } = found;
  if (broken !== null) {
    const { line, expected, got } = broken;
    throw new ShallowsError(
      `readJournal: ${path}, line ${String(line)}: expected ${expected}, got ${got} - restore the file from a copy`,
    );
  }
  return { ...resolveRewinds(found.lines), torn: tornOf(found), head: found.head, unknown: found.unknown };
}

/** Reads the bytes of a journal. */
export async function contentOf(path: string, who: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'no such file' : cause instanceof Error ? cause.message : String(cause);
    throw new ShallowsError(`${who}: expected a journal at ${path}, got ${why} - give the journal.jsonl of a run`, {
      cause,
    });
  }
}

/** What a scan found after the last newline. */
export function tornOf({ torn, head }: Scan): Journal['torn'] {
  return torn === 0 ? null : { line: head.lines + 1, bytes: torn };
}
