import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { ShallowsError } from '../../errors.js';
import { unreadable } from '../read-file.js';
import type { TableFile } from './raw-rows.js';

/** A file of text whose lines are records. */
export type CsvFile = Extract<TableFile, { format: 'csv' }>;

/** Some bytes of a file. */
export interface BytesPart {
  /** The first; the file's own unless given. */
  readonly start?: number;
  /** The number of its line; 1 unless given. */
  readonly line?: number;
  /** Behind the last; the file's end unless given. */
  readonly end?: number;
}

/** A place between records: the byte of the file, and the number of the line that begins there. */
interface Position {
  readonly offset: number;
  readonly line: number;
}

/** Called for every record: with one of the first two, then with `ended`. Bytes are others after the call. */
export interface RecordVisitor {
  /**
   * May take the line without quotes that begins at `bytes[from]` and ends with the next newline: returns the index behind
   * that, or 0 to have its cells. Whoever has it here looks at each byte once.
   */
  plain?(bytes: Buffer, from: number): number;
  /** A record, and its last line. */
  cells(cells: readonly string[], line: number): void;
  /** With the offset in the file behind the record; false where enough was seen. */
  ended(offset: number): boolean;
}

const fn = 'readCsv';
const pieceBytes = 1 << 20;
/** Before a piece, for the bytes that were kept of the one before. */
const room = 1 << 16;
/** Longest line, in bytes: an unclosed quote would take the rest of the file for a cell. */
const longestRow = 1 << 24;
const [quote, newline, carriageReturn] = [0x22, 0x0a, 0x0d];
const byteOrderMark = [0xef, 0xbb, 0xbf];

/** The byte between cells; null where it takes more than one, or one that lines are made of. */
export function delimiterByte({ delimiter }: CsvFile): number | null {
  const [byte, ...more] = Buffer.from(delimiter);
  if (byte === undefined || more.length > 0 || [quote, newline, carriageReturn].includes(byte)) return null;
  return byte;
}

/**
 * Reads records one after the other, holding one piece of the text: lines as they are up to the first with a quote, from
 * there on by a parser. Empty lines do not count.
 *
 * @throws ShallowsError that names the file and what is wrong with it
 */
export async function readRecords(file: CsvFile, part: BytesPart, visitor: RecordVisitor): Promise<void> {
  const start = { offset: part.start ?? 0, line: part.line ?? 1 };
  const rest = delimiterByte(file) === null ? start : await readLines(file, part, visitor);
  if (rest !== null) await parseRecords(file, { ...part, from: rest }, visitor);
}

/** Returns where the first line with a quote begins; null where all were read. */
async function readLines(
  { path, delimiter }: CsvFile,
  part: BytesPart,
  visitor: RecordVisitor,
): Promise<Position | null> {
  await using file = await OpenFile.at(path);
  const next = piecesOf(file, part);
  let offset = part.start ?? 0;
  // What is of a line whose end was not seen yet.
  let kept: Buffer = Buffer.alloc(0);
  for (let line = part.line ?? 1, isFirst = true; ; isFirst = false) {
    const buffer = await next(kept);
    const filled = buffer.length;
    const read = filled - kept.length;
    let from = 0;
    if (isFirst && offset === 0) {
      if (buffer[0] === 0x1f && buffer[1] === 0x8b)
        throw new ShallowsError(`${fn}: expected text in ${path}, got gzip - unpack it first`);
      if (byteOrderMark.every((each, i) => buffer[i] === each)) from = byteOrderMark.length;
    }
    const quoted = buffer.indexOf(quote, kept.length);
    const readable = quoted < 0 ? filled : quoted;
    const lastNewline = readable === 0 ? -1 : buffer.lastIndexOf(newline, readable - 1);
    for (;;) {
      const behind = from <= lastNewline ? (visitor.plain?.(buffer, from) ?? 0) : 0;
      if (behind > 0) {
        if (!visitor.ended(offset + behind)) return null;
        from = behind;
        line++;
        continue;
      }
      let end = from;
      while (end < readable && buffer[end] !== newline) end++;
      const isEnded = end < readable;
      if (!isEnded && (quoted >= 0 || read > 0)) break;
      const to = isEnded && end > from && buffer[end - 1] === carriageReturn ? end - 1 : end;
      const next = isEnded ? end + 1 : end;
      if (to > from) {
        visitor.cells(buffer.toString('utf8', from, to).split(delimiter), line);
        if (!visitor.ended(offset + next)) return null;
      }
      if (!isEnded) return null;
      from = next;
      line++;
    }
    if (quoted >= 0) return { offset: offset + from, line };
    kept = buffer.subarray(from);
    if (kept.length > longestRow) throw tooLong(path, line);
    offset += from;
  }
}

/**
 * Reads the bytes of a part, a piece for each call, none after the last; while one is looked at, the next is read. A piece
 * begins with the bytes that were kept of the one before, and is others after the next call.
 */
function piecesOf(file: OpenFile, { start = 0, end = Number.POSITIVE_INFINITY }: BytesPart) {
  const buffers = [Buffer.allocUnsafeSlow(room + pieceBytes), Buffer.allocUnsafeSlow(room + pieceBytes)] as const;
  let position = start;
  const read = (number: number): Promise<number> => {
    const reading = file.read(buffers[number % 2 === 0 ? 0 : 1], room, Math.min(pieceBytes, end - position), position);
    // Nobody awaits it where enough was seen.
    reading.catch(() => {});
    return reading;
  };
  let number = 0;
  let reading = read(number);
  return async (kept: Uint8Array): Promise<Buffer> => {
    const filled = await reading;
    position += filled;
    const buffer = buffers[number % 2 === 0 ? 0 : 1];
    const own = buffer.subarray(room, room + filled);
    const piece = kept.length > room ? Buffer.concat([kept, own]) : buffer.subarray(room - kept.length, room + filled);
    if (kept.length <= room) piece.set(kept);
    if (filled > 0) reading = read(++number);
    return piece;
  };
}

/** A file whose failures are told in the words of the reader. */
class OpenFile implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async at(path: string): Promise<OpenFile> {
    try {
      return new OpenFile(path, await open(path));
    } catch (error) {
      throw unreadable(fn, path, error, 'check the path');
    }
  }

  async read(buffer: Buffer, at: number, most: number, position: number): Promise<number> {
    if (most <= 0) return 0;
    try {
      return (await this.#handle.read(buffer, at, most, position)).bytesRead;
    } catch (error) {
      throw unreadable(fn, this.#path, error, 'check the path');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** Thrown by a visitor that has seen enough. */
const enough = new Error('enough');

async function parseRecords(
  { path, delimiter }: CsvFile,
  { end, from }: BytesPart & { readonly from: Position },
  visitor: RecordVisitor,
): Promise<void> {
  const parser = parse({
    bom: from.offset === 0,
    delimiter,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: longestRow,
    on_record: (record: readonly string[], { bytes, lines }) => {
      visitor.cells(record, from.line + lines - 1);
      if (!visitor.ended(from.offset + bytes)) throw enough;
      return null;
    },
  });
  const last = end === undefined ? {} : { end: end - 1 };
  const text = createReadStream(path, { highWaterMark: 1 << 18, start: from.offset, ...last });
  try {
    await pipeline(text, parser, new Writable({ objectMode: true, write: (_record, _encoding, done) => done() }));
  } catch (error) {
    if (error === enough) return;
    throw error instanceof ShallowsError ? error : translated(path, error, from.line - 1);
  }
}

function translated(path: string, error: unknown, linesBefore: number): ShallowsError {
  if (!(error instanceof CsvError)) return unreadable(fn, path, error, 'check the path');
  const message = error.message.replace(/\bline (\d+)/, (_, line) => `line ${Number(line) + linesBefore}`);
  return unequalLines(path, message, error);
}

/** The error of a file whose lines are not made of the same cells. */
export function unequalLines(path: string, got: string, cause?: unknown): ShallowsError {
  return new ShallowsError(
    `${fn}: expected the same cells in every line of ${path}, got ${got} - correct the line, or the delimiter`,
    cause === undefined ? undefined : { cause },
  );
}

function tooLong(path: string, line: number): ShallowsError {
  return new ShallowsError(
    `${fn}: expected lines of at most ${longestRow} bytes in ${path}, got more in line ${line} - check the file`,
  );
}
