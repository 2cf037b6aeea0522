import type { TableEncoding } from './encoding.js';
import type { ChunkPlace, TableFile } from './raw-rows.js';
import type { Part, SortRule } from './row-sorter.js';

/** The rows of one part of a file, chunk by chunk: plain data, so that a thread can read them. */
export interface TableChunksSpec {
  readonly file: TableFile;
  readonly rule: SortRule;
  readonly part: Part;
  /** The chunks that hold rows of the part, and how many of them each has. */
  readonly chunks: readonly { readonly place: ChunkPlace; readonly rows: number }[];
  readonly table: TableEncoding;
}
