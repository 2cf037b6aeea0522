import { openCsv } from './csv.js';
import { openParquet } from './parquet.js';
import type { TableFile, TableReader } from './raw-rows.js';

/** Opens a file of a table. @throws ShallowsError that names it */
export function openTable(file: TableFile): Promise<TableReader> {
  return file.format === 'csv' ? openCsv(file) : openParquet(file.path);
}
