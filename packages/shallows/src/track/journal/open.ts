import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ShallowsError } from '../../errors.js';
import { codeOf, localDisk } from '../../files/index.js';
import { NO_GENESIS } from './chain.js';
import type { JournalLine, JournalNote } from './line.js';
import { type Scan, scan } from './scan.js';
import { type JournalOptions, JournalWriter } from './writer.js';

/** Options of {@link createJournal} and {@link reopenJournal}. */
export interface OpenJournalOptions extends JournalOptions {
  /** What the first line follows on: the digest of what the journal belongs to, 64 hexadecimal digits. */
  readonly genesis?: string;
}

/**
 * Begins a journal.
 *
 * @throws ShallowsError where it exists, or cannot be made
 */
export function createJournal(
  path: string,
  { genesis = NO_GENESIS, ...options }: OpenJournalOptions = {},
): JournalWriter {
  const file = attempt('a new journal', path, () => openSync(path, 'ax'));
  localDisk.syncFolder(dirname(path));
  return new JournalWriter(path, { file, size: 0, head: { lines: 0, digest: genesis } }, options);
}

/** A journal that goes on. */
export interface Reopened {
  readonly journal: JournalWriter;
  /** What it holds, in the order of the file. */
  readonly lines: readonly JournalLine[];
  /** What had to be taken out; null where the journal was whole. */
  readonly repaired: Extract<JournalNote, { kind: 'repaired' }> | null;
}

/**
 * Opens a journal to go on with it, where its last whole line ends. What follows that line (one that was cut off when its writer
 * was killed, or is broken) moves into a file beside it, and the journal says so in a line of kind `repaired`.
 *
 * Only one writer may do this: take the run's lock first.
 *
 * @throws ShallowsError where it cannot be read or written
 */
export function reopenJournal(path: string, { genesis = NO_GENESIS, ...options }: OpenJournalOptions = {}): Reopened {
  const content = attempt('to read it', path, () => readIfThere(path));
  if (content === null) {
    const journal = createJournal(path, { genesis, ...options });
    const repaired = { kind: 'repaired', line: 1, bytes: 0, aside: null, why: 'the journal was missing' } as const;
    journal.note(repaired);
    return { journal, lines: [], repaired };
  }
  const found = scan(content, genesis);
  const bad = content.subarray(found.end);
  const aside = bad.length === 0 ? null : moveAside(path, found.head.lines, bad);
  const file = attempt('to open it', path, () => openSync(path, 'a'));
  try {
    if (aside !== null) {
      attempt('to cut a broken end off', path, () => {
        ftruncateSync(file, found.end);
        fsyncSync(file);
      });
    }
    const journal = new JournalWriter(path, { file, size: found.end, head: found.head }, options);
    const repaired = aside === null ? null : repairOf(found, bad.length, aside);
    if (repaired !== null) journal.note(repaired);
    return { journal, lines: found.lines, repaired };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Keeps bytes in a new file, `journal.torn-LINE.bin`, that survives a loss of power before the journal is cut. */
function moveAside(path: string, line: number, bytes: Buffer): string {
  const stem = basename(path).replace(/\.[^.]*$/, '');
  for (let attempts = 1; ; attempts++) {
    const name = `${stem}.torn-${String(line + 1)}${attempts === 1 ? '' : `-${String(attempts)}`}.bin`;
    const aside = join(dirname(path), name);
    try {
      writeNew(aside, bytes);
      return name;
    } catch (cause) {
      if (codeOf(cause) === 'EEXIST') continue;
      localDisk.remove(aside);
      throw refused('to keep a broken end beside it', path, cause);
    }
  }
}

function writeNew(path: string, bytes: Uint8Array): void {
  const file = localDisk.create(path);
  try {
    localDisk.write(file, bytes);
    localDisk.sync(file);
  } finally {
    localDisk.close(file);
  }
  localDisk.syncFolder(dirname(path));
}

function repairOf({ broken, head }: Scan, bytes: number, aside: string): NonNullable<Reopened['repaired']> {
  const why = broken === null ? 'its last line was cut off' : `expected ${broken.expected}, got ${broken.got}`;
  return { kind: 'repaired', line: head.lines + 1, bytes, aside, why };
}

function attempt<T>(what: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw refused(what, path, cause);
  }
}

function refused(what: string, path: string, cause: unknown): ShallowsError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ShallowsError(
    `openJournal: expected ${what} (${path}), got ${why} - check the disk and the folder's rights`,
    { cause },
  );
}
