import { readBytes } from '../read-file.js';
import type { ReadBlock } from '../stream/block.js';
import { type Decode, decoder } from './decode.js';
import { inParallel } from './in-parallel.js';

/** Pictures of a block that are decoded at a time: sharp decodes on the four threads of libuv's pool. */
const atATime = 4;

/** Reads and decodes pictures to bytes `[files, 3, size, size]`, as `readFolder` does. */
export function readPictures(size: number): ReadBlock {
  let decode: Promise<Decode> | null = null;
  return async ({ files }) => {
    decode ??= decoder('readFolder', size);
    const toBytes = await decode;
    const row = 3 * size * size;
    const inputs = new Uint8Array(files.length * row);
    await inParallel(files, atATime, async (file, i) => {
      const bytes = await readBytes('readFolder', file, 'restore it, it was there before');
      inputs.set(await toBytes(bytes, file), i * row);
    });
    return { inputs, targets: null };
  };
}
