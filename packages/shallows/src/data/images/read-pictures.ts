import { readBytes } from '../read-file.js';
import type { ReadBlock } from '../stream/block.js';
import { decode } from './decode.js';
import { inParallel } from './in-parallel.js';
import { toSquare } from './square.js';

const fn = 'readFolder';
/** Pictures of a block that are read at a time, and decoded where sharp does it: on the four threads of libuv's pool. */
const atATime = 4;

/** Reads, decodes and resizes pictures to bytes `[files, 3, size, size]`, as `readFolder` does. */
export function readPictures(size: number): ReadBlock {
  const row = 3 * size * size;
  return async ({ files }) => {
    const inputs = new Uint8Array(files.length * row);
    await inParallel(files, atATime, async (file, i) => {
      const bytes = await readBytes(fn, file, 'restore it, it was there before');
      using picture = await decode(fn, bytes, file, size);
      inputs.set(toSquare(picture, size), i * row);
    });
    return { inputs, targets: null };
  };
}
