import { snappyUncompressor } from 'hysnappy';
import type { PageMemory } from './page-memory.js';

let uncompress: ReturnType<typeof snappyUncompressor> | null = null;

/**
 * Unpacks a page that Snappy packed.
 * @param size bytes of the page
 * @param memory of which the page may be
 * @throws Error where the packed bytes say another size, or are damaged
 */
export function unpackSnappy(packed: Uint8Array, size: number, memory: PageMemory): Uint8Array {
  const [said, start] = saidSize(packed);
  if (said !== size) throw new Error(`${said} bytes in a page packed with Snappy that says ${size}`);
  // Three bytes stand for at most 64: nothing is allocated for what cannot be there.
  if (size * 3 > packed.length * 64) throw new Error(`${size} bytes packed with Snappy in ${packed.length}`);
  // Hardly packed, as measured numbers are: bytes as they are in long pieces, which the processor copies faster than WASM.
  if (packed.length > 0.9 * size) return unpackPieces(packed, start, memory.take(size));
  uncompress ??= snappyUncompressor();
  return uncompress(packed, size);
}

/** What the packed bytes begin with: the size of the page, the lowest seven bits first. */
function saidSize(packed: Uint8Array): [size: number, next: number] {
  let size = 0;
  for (let at = 0; at < 5; at++) {
    const byte = packed[at] ?? 0;
    size += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return [size, at + 1];
  }
  throw new Error('a size of more than five bytes in a page packed with Snappy');
}

/** @see https://github.com/google/snappy/blob/main/format_description.txt */
function unpackPieces(packed: Uint8Array, start: number, page: Uint8Array): Uint8Array {
  const size = page.length;
  let [at, filled] = [start, 0];
  // So many bytes, the lowest first.
  const number = (bytes: number): number => {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += (packed[at++] ?? 0) * 2 ** (8 * i);
    return value;
  };
  while (at < packed.length) {
    const tag = packed[at++] as number;
    const kind = tag & 3;
    const high = tag >> 2;
    if (kind === 0) {
      const length = 1 + (high < 60 ? high : number(high - 59));
      if (at + length > packed.length || filled + length > size) throw damaged();
      page.set(packed.subarray(at, at + length), filled);
      at += length;
      filled += length;
    } else {
      const length = kind === 1 ? 4 + (high & 7) : 1 + high;
      const back = kind === 1 ? ((tag >> 5) << 8) + number(1) : number(kind === 2 ? 2 : 4);
      if (at > packed.length || back === 0 || back > filled || filled + length > size) throw damaged();
      // What is copied may begin with what was copied just before.
      for (const end = filled + length; filled < end; filled++) page[filled] = page[filled - back] as number;
    }
  }
  if (filled < size) throw damaged();
  return page;
}

const damaged = (): Error => new Error('a page packed with Snappy that is damaged');
