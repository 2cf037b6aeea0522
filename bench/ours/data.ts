// Reads pictures or a table, once to warm up and then timed. Prints microseconds a picture or row.
// Arguments: `pictures`, `csv` or `parquet`, path, workers.
import { scope, setNumThreads } from '@shallows/torch';
import { type ColumnTable, loadData, readCsv, readParquet } from 'shallows/data';
import { rootKey } from 'shallows/random';

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

async function table(figure: string, read: () => Promise<ColumnTable>): Promise<void> {
  await read();
  const start = performance.now();
  const { rows } = await read();
  console.log(JSON.stringify({ [figure]: (1000 * (performance.now() - start)) / rows }));
}

if (kind === 'pictures') await pictures();
else if (kind === 'csv') await table('a row of CSV, µs', () => readCsv(path, { categorical: ['kind'] }));
else if (kind === 'parquet') await table('a row of Parquet, µs', () => readParquet(path, { categorical: ['kind'] }));
else throw new Error(`expected pictures, csv or parquet, got ${kind}`);
