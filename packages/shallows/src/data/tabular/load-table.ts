import { fromTypedArray } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { arrayDataset } from '../array-dataset.js';
import type { BatchOptions, Dataset } from '../dataset.js';
import { type DataSplits, dataSplits } from '../splits.js';
import type { Block } from '../stream/block.js';
import { tableBatches } from '../stream/table-batches.js';
import { Threads } from '../stream/threads.js';
import { inputsAreIndices, type TableEncoding } from './encoding.js';
import { readTableChunks } from './read-table-chunks.js';
import type { CsvConfig, ParquetConfig } from './table-config.js';
import { surveyTable, type TablePart } from './table-parts.js';

/**
 * Reads the training and validation rows of a CSV or Parquet file, encoded as the training rows say. The text, and objects
 * of rows, are never held: with `stream`, nothing but some chunks is.
 */
export async function loadTable(config: CsvConfig | ParquetConfig): Promise<DataSplits> {
  const fn = config.kind === 'csv' ? 'readCsv' : 'readParquet';
  const { window = 8, stream = false, kind } = config;
  if (!Number.isSafeInteger(window) || window < 1)
    throw new ShallowsError(`${fn}: expected a window of 1 chunk or more, got ${shown(window)} - 8 is usual`);
  const { table, train, validation } = await surveyTable(fn, config, null);
  const open = async (part: TablePart): Promise<Dataset> => {
    const name = `${kind}/${part.spec.part}`;
    return stream ? streamedTable(name, part, window) : inMemory(name, part);
  };
  return dataSplits(await open(train), await open(validation), fittedOf(table));
}

/** What new rows need to be encoded as these were. */
function fittedOf({ numeric, categories, features, classes, targets, roles, encoding }: TableEncoding) {
  return {
    features,
    numeric: numeric.map((each) => ({ ...each })),
    categorical: roles.categorical.map((name, i) => ({ name, encoding, values: categories[i] ?? [] })),
    classes,
    targets: targets?.map((each) => ({ ...each })) ?? null,
  };
}

/** What a dataset of a table says of itself. */
function factsOf(name: string, { spec, digest, classCounts, segmentCounts }: TablePart) {
  const { roles, classes, categories } = spec.table;
  return {
    name,
    task: roles.task,
    digest,
    classes,
    classCounts,
    segmentCounts,
    vocabulary: inputsAreIndices(spec.table) ? 1 + Math.max(...categories.map((values) => values.length)) : null,
  };
}

async function inMemory(name: string, part: TablePart): Promise<Dataset> {
  const { spec, size } = part;
  const width = spec.table.features.length;
  const targetWidth = spec.table.targets?.length ?? 1;
  const indices = inputsAreIndices(spec.table);
  const inputs = indices ? new Int32Array(size * width) : new Float32Array(size * width);
  const targets = spec.table.targets === null ? new Int32Array(size) : new Float32Array(size * targetWidth);
  const read = readTableChunks({ ...spec });
  let row = 0;
  for (const [number, chunk] of spec.chunks.entries()) {
    const block: Block = await read({ number, files: [] });
    inputs.set(block.inputs, row * width);
    if (block.targets !== null) targets.set(block.targets, row * targetWidth);
    row += chunk.rows;
  }
  return arrayDataset({
    ...factsOf(name, part),
    inputs: fromTypedArray(inputs, [size, width], { dtype: indices ? 'int64' : 'float32' }),
    targets:
      spec.table.targets === null
        ? fromTypedArray(targets, [size], { dtype: 'int64' })
        : fromTypedArray(targets, [size, targetWidth]),
  });
}

function streamedTable(name: string, part: TablePart, window: number): Dataset {
  const { spec, size } = part;
  const source = { kind: 'table', ...spec } as const;
  const threads = new Threads(source);
  const readHere = readTableChunks(spec);
  const counts = spec.chunks.map(({ rows }) => rows);
  const dispose = (): void => void threads.close();
  const dataset: Dataset = Object.freeze({
    ...factsOf(name, part),
    size,
    inputShape: Object.freeze([spec.table.features.length]),
    inputDtype: inputsAreIndices(spec.table) ? 'int64' : 'float32',
    targetShape: Object.freeze(spec.table.targets === null ? [] : [spec.table.targets.length]),
    batches: (options: BatchOptions) => tableBatches({ dataset, counts, window, threads, readHere }, options),
    dispose,
    [Symbol.dispose]: dispose,
  });
  return dataset;
}
