/**
 * Whole numbers in Parquet's hybrid of runs and packed bits. A run that says more than is wanted is cut there, so that a
 * damaged length costs neither time nor memory.
 * @see https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
 */
export interface Runs {
  readonly bytes: Uint8Array;
  /** Bits of a number, 0 to 32. */
  readonly width: number;
}

/** The numbers, [count]. @throws Error if the bytes end before */
export function readRuns(runs: Runs, count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  eachRun(runs, count, {
    same: (value, from, to) => numbers.fill(value, from, to),
    packed: (view, at, from, to) => unpack(view, at, runs.width, numbers.subarray(from, to)),
  });
  return numbers;
}

/** Writes `words[number]` of each number. @throws Error if the bytes end before, or for a number without a word */
export function readWords(runs: Runs, words: Float64Array, into: Float64Array): void {
  const { width } = runs;
  if (width > narrow) {
    for (const [i, number] of readRuns(runs, into.length).entries()) into[i] = wordAt(words, number);
    return;
  }
  eachRun(runs, into.length, {
    same: (number, from, to) => into.fill(wordAt(words, number), from, to),
    packed(view, at, from, to) {
      const part = into.subarray(from, to);
      if (width === 16) words16(view, at, words, part);
      else unpackWords(view, at, width, words, part);
    },
  });
}

/** A word of a dictionary. @throws Error where there is none */
export function wordAt<T>(words: ArrayLike<T>, number: number): T {
  if (number >= words.length) throw noSuchWord(number, words.length);
  return words[number] as T;
}

/** Whether there is nothing but `value`, of one byte, in the first `count`. */
export function isOneRun({ bytes }: Runs, value: number, count: number): boolean {
  let at = 0;
  const head = varint(() => bytes[at++] ?? 0);
  return head % 2 === 0 && head / 2 >= count && bytes[at] === value;
}

/** Some numbers, from one until before another. */
interface RunVisitor {
  same(value: number, from: number, to: number): void;
  /** They are packed from byte `at` on. */
  packed(view: DataView, at: number, from: number, to: number): void;
}

function eachRun({ bytes, width }: Runs, count: number, { same, packed }: RunVisitor): void {
  if (width > 32) throw new Error(`numbers of ${width} bits, at most 32`);
  if (width === 0) {
    same(0, 0, count);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw early();
    return byte;
  };
  for (let seen = 0; seen < count; ) {
    const head = varint(next);
    const left = count - seen;
    if (head % 2 === 0) {
      let value = 0;
      for (let bits = 0; bits < width; bits += 8) value += next() * 2 ** bits;
      const run = Math.min(left, head / 2);
      same(value, seen, seen + run);
      seen += run;
    } else {
      const groups = (head - 1) / 2;
      const run = Math.min(left, groups * 8);
      if (at + Math.ceil((run * width) / 8) > bytes.length) throw early();
      // Known to be a small integer from here on, which the loops are several times faster with.
      packed(view, at | 0, seen, seen + run);
      seen += run;
      at += groups * width;
    }
  }
}

/** Numbers of `width` bits one after the other, the lowest bit first, from a byte on. */
function unpack(view: DataView, at: number, width: number, into: Uint32Array): void {
  if (width > narrow) {
    unpackWide(view, at, width, into);
    return;
  }
  const mask = (1 << width) - 1;
  const [count, last] = [into.length, view.byteLength - 4];
  for (let i = 0, byte = at, bit = 0; i < count; i++) {
    const four = byte <= last ? view.getInt32(byte, true) : lastBytes(view, byte);
    into[i] = (four >>> bit) & mask;
    bit += width;
    byte += bit >>> 3;
    bit &= 7;
  }
}

/** Unpacks and looks up at once: to write numbers and read them again takes longer than both. */
function unpackWords(view: DataView, at: number, width: number, words: Float64Array, into: Float64Array): void {
  const mask = (1 << width) - 1;
  const [rows, count, last] = [into.length, words.length, view.byteLength - 4];
  for (let i = 0, byte = at, bit = 0; i < rows; i++) {
    const four = byte <= last ? view.getInt32(byte, true) : lastBytes(view, byte);
    const number = (four >>> bit) & mask;
    if (number >= count) throw noSuchWord(number, count);
    into[i] = words[number] as number;
    bit += width;
    byte += bit >>> 3;
    bit &= 7;
  }
}

/** As `unpackWords`, in half the time. */
function words16(view: DataView, at: number, words: Float64Array, into: Float64Array): void {
  const [rows, count] = [into.length, words.length];
  for (let i = 0, byte = at; i < rows; i++, byte += 2) {
    const number = view.getUint16(byte, true);
    if (number >= count) throw noSuchWord(number, count);
    into[i] = words[number] as number;
  }
}

/** Bits of the widest number that is in four bytes whatever the bit of the first at which it begins. */
const narrow = 25;

/** A number of the bytes that are left, fewer than four. */
function lastBytes(view: DataView, at: number): number {
  let value = 0;
  for (let i = 0; at + i < view.byteLength; i++) value |= view.getUint8(at + i) << (8 * i);
  return value;
}

function unpackWide(view: DataView, at: number, width: number, into: Uint32Array): void {
  const mask = (1n << BigInt(width)) - 1n;
  for (let i = 0, byte = at, held = 0n, bits = 0; i < into.length; i++) {
    for (; bits < width; bits += 8) held |= BigInt(view.getUint8(byte++)) << BigInt(bits);
    into[i] = Number(held & mask);
    held >>= BigInt(width);
    bits -= width;
  }
}

const early = (): Error => new Error('runs that end too early');

const noSuchWord = (number: number, words: number): Error =>
  new Error(`${number} as a word of the dictionary, at most ${words - 1}`);

function varint(next: () => number): number {
  let value = 0;
  for (let bits = 0; bits < 35; bits += 7) {
    const byte = next();
    value += (byte & 0x7f) * 2 ** bits;
    if (byte < 0x80) return value;
  }
  throw new Error('a run length of more than five bytes');
}
