import { readFile } from 'node:fs/promises';
import { ShallowsError, shown } from '../errors.js';
import { type JournalEntry, type JournalLine, journalLines } from './journal-line.js';
import { describeIssues } from './zod-issues.js';

/** A journal as it was found. */
export interface Journal {
  readonly lines: readonly JournalLine[];
  /** The line that a killed writer left unfinished: its number from 1 and its length. It is not among `lines`. */
  readonly torn: { readonly line: number; readonly bytes: number } | null;
}

const NEWLINE = 10;

/**
 * Reads a journal. The last line counts only with its newline: without one it was cut off, and is reported as torn.
 *
 * @throws ShallowsError naming the line, for a missing file, broken JSON or UTF-8, a wrong shape, a hole in `seq`
 */
export async function readJournal(path: string): Promise<Journal> {
  const content = await readFile(path).catch((cause: unknown) => {
    throw new ShallowsError(
      `readJournal: expected a journal at ${path}, got ${reason(cause)} - give the journal.jsonl of a run`,
      { cause },
    );
  });
  const lines: JournalLine[] = [];
  let start = 0;
  for (let end = content.indexOf(NEWLINE); end !== -1; end = content.indexOf(NEWLINE, start)) {
    lines.push(readLine(content.subarray(start, end), lines.length, path));
    start = end + 1;
  }
  const bytes = content.length - start;
  return { lines, torn: bytes === 0 ? null : { line: lines.length + 1, bytes } };
}

function readLine(bytes: Buffer, seq: number, path: string): JournalLine {
  const fail = (expected: string, got: string): ShallowsError =>
    new ShallowsError(
      `readJournal: ${path}, line ${String(seq + 1)}: expected ${expected}, got ${got} - restore the file from a copy`,
    );
  const value = parse(bytes);
  if (!isObject(value)) throw fail('a JSON object', `${String(bytes.length)} bytes that are none`);
  const kind = value.kind;
  if (!isKind(kind)) throw fail(`a kind of ${Object.keys(journalLines).join(', ')}`, shown(kind));
  const result = journalLines[kind].safeParse(value);
  if (!result.success) throw fail(`a line of kind ${kind}`, describeIssues(result.error));
  if (result.data.seq !== seq) throw fail(`seq ${String(seq)}`, String(result.data.seq));
  return result.data;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isKind(kind: unknown): kind is JournalEntry['kind'] {
  return typeof kind === 'string' && Object.hasOwn(journalLines, kind);
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && cause.code === 'ENOENT' ? 'no such file' : cause.message;
}
