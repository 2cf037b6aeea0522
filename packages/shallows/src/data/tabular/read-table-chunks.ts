import type { ReadBlock } from '../stream/block.js';
import { changedFile } from './cell-errors.js';
import { rowEncoder } from './encoding.js';
import { openTable } from './open-table.js';
import type { TableReader } from './raw-rows.js';
import { readColumnsOf } from './roles.js';
import { rowSorter } from './row-sorter.js';
import type { TableChunksSpec } from './table-chunks-spec.js';

/** Reads and encodes the rows that a chunk has of one part. */
export function readTableChunks({ file, rule, part, chunks, table }: TableChunksSpec): ReadBlock {
  const sort = rowSorter(rule);
  const encode = rowEncoder(table);
  const columns = readColumnsOf(table.roles);
  let opened: Promise<TableReader> | null = null;
  return async ({ number }) => {
    const chunk = chunks[number];
    if (chunk === undefined) throw new RangeError(`no chunk ${number}`);
    opened ??= openTable(file);
    const rows = await (await opened).read(columns, chunk.place);
    const chosen: number[] = [];
    for (let row = 0; row < rows.rows && chosen.length < chunk.rows; row++) {
      if (sort(rows, row) === part) chosen.push(row);
    }
    if (chosen.length < chunk.rows)
      throw changedFile('batches', file.path, `${chunk.rows} rows of a chunk`, String(chosen.length));
    return encode(rows, chosen);
  };
}
