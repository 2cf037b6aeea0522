import { createHash } from 'node:crypto';
import { ShallowsError, shown } from '../../errors.js';
import type { Key } from '../../random/index.js';
import { requireBothSides } from '../split.js';
import { fitEncoding, type TableEncoding } from './encoding.js';
import { openTable } from './open-table.js';
import type { TableFile } from './raw-rows.js';
import { type ColumnRoles, columnRoles, readColumnsOf } from './roles.js';
import type { Part, SortRule } from './row-sorter.js';
import { Survey, type SurveyedChunk } from './survey.js';
import type { TableChunksSpec } from './table-chunks-spec.js';
import { type CsvConfig, type ParquetConfig, usualMissingValues } from './table-config.js';

/** What is known of one part of a table after a look at all rows. */
export interface TablePart {
  readonly spec: TableChunksSpec;
  readonly size: number;
  /** SHA-256 of a header line (task, columns by role, classes as JSON) and the rows as `RowBytes` writes them, hashed. */
  readonly digest: string;
  readonly classCounts: readonly number[] | null;
  readonly segmentCounts: Readonly<Record<string, number>> | null;
}

/** Both parts of a table, and how rows become numbers. */
export interface TableParts {
  readonly table: TableEncoding;
  readonly train: TablePart;
  readonly validation: TablePart;
}

/** Goes once through the rows: finds out what encodes them and which chunk holds which. Its memory does not grow with the rows. */
export async function surveyTable(fn: string, config: CsvConfig | ParquetConfig, key: Key | null): Promise<TableParts> {
  const { path, validation, validationShare = 0.2, missing = 'error', limit = {}, encoding = 'onehot' } = config;
  const file = tableFile(config, path);
  const reader = await openTable(file);
  const roles = columnRoles(fn, path, reader.columns, config);
  const columns = readColumnsOf(roles);
  const survey = new Survey({ fn, roles, missing, limit, mostCategories: encoding === 'onehot' ? 10_000 : 1_000_000 });
  const common = { dropMissing: missing === 'drop', hasSegment: roles.segment !== null };
  const rule: SortRule = { ...common, part: validation === undefined ? { share: validationShare, key } : 'train' };
  const first = survey.file(path, rule);
  await reader.scan(columns, first.visit);
  let second: { readonly file: TableFile; readonly rule: SortRule; readonly chunks: readonly SurveyedChunk[] } = {
    file,
    rule,
    chunks: first.chunks,
  };
  if (validation !== undefined) {
    const other = tableFile(config, validation);
    const otherRule: SortRule = { ...common, part: 'validation' };
    const { visit, chunks } = survey.file(validation, otherRule);
    await (await openTable(other)).scan(columns, visit);
    second = { file: other, rule: otherRule, chunks };
  }
  requireRows(fn, survey, path, validation);
  const table = fitEncoding(survey, roles, {
    fn,
    file: path,
    encoding,
    standardise: config.standardise ?? true,
    standardiseTarget: config.standardiseTarget ?? false,
    classes: config.classes ?? null,
  });
  return {
    table,
    train: describe('train', survey, table, { file, rule, chunks: first.chunks }),
    validation: describe('validation', survey, table, second),
  };
}

function tableFile(config: CsvConfig | ParquetConfig, path: string): TableFile {
  if (config.kind === 'parquet') return { format: 'parquet', path };
  const { delimiter = ',', header = true, missingValues = usualMissingValues } = config;
  if (delimiter.length !== 1)
    throw new ShallowsError(
      `readCsv: expected a delimiter of one character, got ${shown(delimiter)} - write for example ";"`,
    );
  return { format: 'csv', path, delimiter, header, missingValues };
}

function requireRows(fn: string, { parts }: Survey, path: string, validation: string | undefined): void {
  const { train, validation: held } = parts;
  if (validation === undefined && train.rows + held.rows > 0) {
    requireBothSides(fn, { train: train.rows, validation: held.rows }, path);
    return;
  }
  const empty = train.rows === 0 ? path : held.rows === 0 ? validation : undefined;
  if (empty === undefined) return;
  throw new ShallowsError(`${fn}: expected rows in ${empty}, got none - check the file, and what missing leaves out`);
}

function describe(
  part: Part,
  survey: Survey,
  table: TableEncoding,
  {
    file,
    rule,
    chunks,
  }: { readonly file: TableFile; readonly rule: SortRule; readonly chunks: readonly SurveyedChunk[] },
): TablePart {
  const { rows, rowsHash, classCounts, segmentCounts } = survey.parts[part];
  const held = chunks.flatMap((chunk) => (chunk[part] > 0 ? [{ place: chunk.place, rows: chunk[part] }] : []));
  return {
    spec: { file, rule, part, chunks: held, table },
    size: rows,
    digest: createHash('sha256')
      .update(`${JSON.stringify({ ...named(table.roles), classes: table.classes })}\n`)
      .update(rowsHash.digest())
      .digest('hex'),
    classCounts: table.classes?.map((name) => classCounts.get(name) ?? 0) ?? null,
    segmentCounts:
      table.roles.segment === null ? null : Object.fromEntries([...segmentCounts].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function named({ task, numeric, categorical, targets, segment }: ColumnRoles): ColumnRoles {
  return { task, numeric, categorical, targets, segment };
}
