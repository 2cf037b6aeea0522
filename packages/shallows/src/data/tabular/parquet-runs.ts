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
    if (byte === undefined) throw new Error('runs that end too early');
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
      unpack(next, width, numbers.subarray(seen, seen + run));
      seen += run;
      at = start + groups * width;
    }
  }
  return numbers;
}

/** Numbers of `width` bits one after the other, the lowest bit first. */
function unpack(next: () => number, width: number, into: Uint32Array): void {
  let byte = 0;
  let left = 0;
  for (let i = 0; i < into.length; i++) {
    let value = 0;
    for (let got = 0; got < width; ) {
      if (left === 0) {
        byte = next();
        left = 8;
      }
      const take = Math.min(left, width - got);
      value += (byte & ((1 << take) - 1)) * 2 ** got;
      byte >>= take;
      left -= take;
      got += take;
    }
    into[i] = value;
  }
}

function varint(next: () => number): number {
  let value = 0;
  for (let bits = 0; bits < 35; bits += 7) {
    const byte = next();
    value += (byte & 0x7f) * 2 ** bits;
    if (byte < 0x80) return value;
  }
  throw new Error('a run length of more than five bytes');
}
