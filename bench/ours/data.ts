// Reads pictures or a table, some times to warm up and then timed. Prints microseconds a picture or row.
// Arguments: `pictures`, `csv` or `parquet`, path, workers.
import { scope, setNumThreads } from '@shallows/torch';
import { type ColumnTable, loadData, readCsv, readParquet } from 'shallows/data';
import { rootKey } from 'shallows/random';
import { median } from '../interleave.js';

const [kind = '', path = '', workers] = process.argv.slice(2);
setNumThreads(1);
const SIZE = 128;
const BATCH = 64;

async function pictures(): Promise<void> {
  const { train, validation } = await loadData({ kind: 'folder', path, size: SIZE, stream: true });
  const epoch = async (number: number): Promise<void> => {
    const source = train.batches({
      ...{ batchSize: BATCH, key: rootKey(1), epoch: number, shuffle: true, workers: Number(workers) },
      augment: { crop: { padding: 8 }, flip: true },
    });
    for (let i = 0; i < source.length; i++) {
      await source.prepare?.(i);
      scope(() => void source.at(i));
    }
    await source.close?.();
  };
  await epoch(0);
  const start = performance.now();
  await epoch(1);
  const ms = performance.now() - start;
  console.log(JSON.stringify({ 'a picture, decoded and augmented, µs': (1000 * ms) / train.size }));
  train.dispose();
  validation.dispose();
}

const [warmup, reads] = [5, 5];

/** The first read of a process, and the median of those behind the first few. */
async function table(what: string, read: () => Promise<ColumnTable>): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < warmup + reads; i++) {
    const start = performance.now();
    const { rows } = await read();
    times.push((1000 * (performance.now() - start)) / rows);
  }
  const first = times[0] ?? Number.NaN;
  console.log(
    JSON.stringify({
      [`a row of ${what}, µs`]: median(times.slice(warmup)),
      [`a row of ${what}, first read of a process, µs`]: first,
    }),
  );
}

if (kind === 'pictures') await pictures();
else if (kind === 'csv') await table('CSV', () => readCsv(path, { categorical: ['kind'] }));
else if (kind === 'parquet') await table('Parquet', () => readParquet(path, { categorical: ['kind'] }));
else throw new Error(`expected pictures, csv or parquet, got ${kind}`);
