import { closeSync, openSync, readSync } from 'node:fs';
import { fromBytes, fromTypedArray, ops, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { unreadable } from '../read-file.js';

/** Numbers of tokens, one after the other. */
export interface TokenStore {
  readonly length: number;
  /** The `count` tokens from each start on: int64 `[starts, count]`. */
  gather(starts: readonly number[], count: number): Tensor;
  /** The bytes of all tokens from one up to, not including, another: as they are stored. */
  bytes(from: number, to: number): Iterable<Uint8Array>;
  dispose(): void;
}

/** Bytes a token takes in a file. */
export type TokenWidth = 1 | 2 | 4;

const dtypes = { 1: 'uint8', 2: 'int16', 4: 'int32' } as const;
const fn = 'loadData';

/** Tokens that stay in a file of little-endian unsigned numbers; a batch reads its own windows. */
export function fileTokens(path: string, width: TokenWidth, length: number): TokenStore {
  let file: number | null;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw unreadable(fn, path, error, 'check the path');
  }
  const read = (into: Uint8Array, at: number, count: number, from: number): void => {
    if (file === null)
      throw new ShallowsError(`${fn}: expected the tokens of ${path}, got a set that is disposed - keep it`);
    if (readSync(file, into, at, count, from) === count) return;
    throw new ShallowsError(
      `${fn}: expected ${count} bytes at byte ${from} of ${path} as before, got fewer - leave the file as it is during a run`,
    );
  };
  return {
    length,
    gather(starts, count) {
      const bytes = new Uint8Array(starts.length * count * width);
      for (const [i, start] of starts.entries()) read(bytes, i * count * width, count * width, start * width);
      return scope(() => {
        const tokens = fromBytes(bytes, dtypes[width], [starts.length, count]).to('int64');
        // No dtype of libtorch that can be computed with holds unsigned 16 bits.
        return width === 2 ? (ops.aten.bitwise_and_.Scalar(tokens, 0xffff) as Tensor) : tokens;
      });
    },
    *bytes(from, to) {
      const piece = new Uint8Array(1 << 20);
      for (let at = from * width; at < to * width; at += piece.length) {
        const count = Math.min(piece.length, to * width - at);
        read(piece, 0, count, at);
        yield piece.subarray(0, count);
      }
    },
    dispose() {
      if (file !== null) closeSync(file);
      file = null;
    },
  };
}

/** Tokens in memory. */
export function memoryTokens(ids: Int32Array): TokenStore {
  const tokens = fromTypedArray(ids);
  return {
    length: ids.length,
    gather: (starts, count) =>
      scope(() => {
        const windows: Tensor = ops.aten.unfold.default(tokens, 0, count, 1);
        const index = fromTypedArray(Float64Array.from(starts), [starts.length], { dtype: 'int64' });
        return (ops.aten.index_select.default(windows, 0, index) as Tensor).to('int64');
      }),
    *bytes(from, to) {
      yield new Uint8Array(ids.buffer, ids.byteOffset + 4 * from, 4 * (to - from));
    },
    dispose: () => tokens.dispose(),
  };
}
