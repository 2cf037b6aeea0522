import { describeIssues } from '../zod-issues.js';
import { type Fault, NO_GENESIS, short, unseal } from './chain.js';
import { type JournalEntry, type JournalLine, journalLines } from './line.js';

/** The first line that is not what was written. */
export interface BrokenLine extends Fault {
  /** From 1. */
  readonly line: number;
}

/** A journal as far as it is whole. */
export interface Scan {
  /** In the order of the file. */
  readonly lines: readonly JournalLine[];
  /** Whole lines of kinds that this version does not know; they are not among `lines`. */
  readonly unknown: number;
  /** Whole lines, and the digest of the last. */
  readonly head: { readonly lines: number; readonly digest: string };
  /** Bytes of whole lines. */
  readonly end: number;
  readonly broken: BrokenLine | null;
  /** Bytes after the last newline, where no line before them is broken: a line that was cut off, or is being written. */
  readonly torn: number;
}

const NEWLINE = 10;

/**
 * Reads lines until one is broken: its digest is not that of its content, it does not follow on the line before it, or it
 * is no line of a journal.
 *
 * @param genesis what the first line follows on; null takes any
 */
export function scan(content: Buffer, genesis: string | null): Scan {
  const lines: JournalLine[] = [];
  let [start, seq, unknown] = [0, 0, 0];
  let prev = genesis;
  let broken: BrokenLine | null = null;
  for (let end = content.indexOf(NEWLINE); end !== -1; end = content.indexOf(NEWLINE, start)) {
    const link = readLink(content.subarray(start, end), seq, prev);
    if ('expected' in link) {
      broken = { line: seq + 1, ...link };
      break;
    }
    if (link.line === null) unknown += 1;
    else lines.push(link.line);
    prev = link.digest;
    seq += 1;
    start = end + 1;
  }
  const head = { lines: seq, digest: prev ?? NO_GENESIS };
  return { lines, unknown, head, end: start, broken, torn: broken === null ? content.length - start : 0 };
}

interface Link {
  readonly digest: string;
  /** Null for a kind that is not known. */
  readonly line: JournalLine | null;
}

function readLink(bytes: Buffer, seq: number, prev: string | null): Link | Fault {
  const unsealed = unseal(bytes);
  if ('expected' in unsealed) return unsealed;
  const { value, digest } = unsealed;
  if (value.seq !== seq) return { expected: `seq ${String(seq)}`, got: String(value.seq) };
  if (prev !== null && unsealed.prev !== prev) {
    const what = seq === 0 ? "the first line of this run's journal" : 'a line that follows on the one before it';
    return { expected: `${what} (prev ${short(prev)})`, got: `prev ${short(unsealed.prev)}` };
  }
  const { kind } = value;
  // What a newer version wrote is whole, as its digest says.
  if (!isKind(kind)) return { digest, line: null };
  const result = journalLines[kind].safeParse(value);
  if (!result.success) return { expected: `a line of kind ${kind}`, got: describeIssues(result.error) };
  return { digest, line: result.data };
}

function isKind(kind: unknown): kind is JournalEntry['kind'] {
  return typeof kind === 'string' && Object.hasOwn(journalLines, kind);
}
