/**
 * Whole numbers in Parquet's hybrid of runs and packed bits, [count]. A run that says more than `count` is cut there, so that a
 * damaged length costs neither time nor memory.
 * @param width bits of a number, 0 to 32
 * @throws Error if the bytes end before `count` numbers
 * @see https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
 */
export function readRuns(bytes: Uint8Array, width: number, count: number): Uint32Array {
  if (width > 32) throw new Error(`numbers of ${width} bits, at most 32`);
  const numbers = new Uint32Array(count);
  if (width === 0) return numbers;
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
      numbers.fill(value, seen, seen + run);
      seen += run;
    } else {
      const groups = (head - 1) / 2;
      const start = at;
      const run = Math.min(left, groups * 8);
      unpack(bytes, at, width, numbers.subarray(seen, seen + run));
      seen += run;
      at = start + groups * width;
    }
  }
  return numbers;
}

/** Numbers of `width` bits one after the other, the lowest bit first, from a byte on. */
function unpack(bytes: Uint8Array, from: number, width: number, into: Uint32Array): void {
  if (from + (into.length * width) / 8 > bytes.length) throw early();
  // Up to 7 bits are held beside a number, and bitwise operators hold 32.
  if (width <= 25) unpackNarrow(bytes, from, width, into);
  else unpackWide(bytes, from, width, into);
}

function unpackNarrow(bytes: Uint8Array, from: number, width: number, into: Uint32Array): void {
  const mask = 2 ** width - 1;
  for (let i = 0, at = from, held = 0, bits = 0; i < into.length; i++) {
    for (; bits < width; bits += 8) held |= (bytes[at++] as number) << bits;
    into[i] = held & mask;
    held >>>= width;
    bits -= width;
  }
}

function unpackWide(bytes: Uint8Array, from: number, width: number, into: Uint32Array): void {
  const mask = (1n << BigInt(width)) - 1n;
  for (let i = 0, at = from, held = 0n, bits = 0; i < into.length; i++) {
    for (; bits < width; bits += 8) held |= BigInt(bytes[at++] as number) << BigInt(bits);
    into[i] = Number(held & mask);
    held >>= BigInt(width);
    bits -= width;
  }
}

const early = (): Error => new Error('runs that end too early');

function varint(next: () => number): number {
  let value = 0;
  for (let bits = 0; bits < 35; bits += 7) {
    const byte = next();
    value += (byte & 0x7f) * 2 ** bits;
    if (byte < 0x80) return value;
  }
  throw new Error('a run length of more than five bytes');
}
