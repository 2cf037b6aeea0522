import { readPictures } from '../images/read-pictures.js';
import { readTableChunks } from '../tabular/read-table-chunks.js';
import type { TableChunksSpec } from '../tabular/table-chunks-spec.js';
import type { ReadBlock } from './block.js';

/** What is read, as plain data that can be told to another thread. */
export type SourceSpec =
  | { readonly kind: 'pictures' /** Height and width in pixels. */; readonly size: number }
  | ({ readonly kind: 'table' } & TableChunksSpec);

/** The reader of a source, in this thread. */
export function openSource(spec: SourceSpec): ReadBlock {
  return spec.kind === 'pictures' ? readPictures(spec.size) : readTableChunks(spec);
}
