import { execFile } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const fixture = (name: string): string => fileURLToPath(new URL(`../tabular/fixtures/${name}`, import.meta.url));
const built = (layer: string): string =>
  JSON.stringify(new URL(`../../../dist/${layer}/index.js`, import.meta.url).href);

/** One epoch of shuffled batches of a table, in a process of its own, which says how much memory it took. */
const program = `
  const [kind, path, stream] = process.argv.slice(1);
  const { loadData } = await import(${built('data')});
  const { rootKey } = await import(${built('random')});
  const live = () => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const config = { kind, path, target: 'y', task: 'regression', categorical: ['city'], stream: stream === 'true', window: 2 };
  const before = live();
  const data = await loadData(config);
  let [rows, least] = [0, Infinity];
  const source = data.train.batches({ batchSize: 256, key: rootKey(1), shuffle: true, workers: 1 });
  for (let i = 0; i < source.length; i++) {
    await source.prepare?.(i);
    const { inputs, targets, size } = source.at(i);
    inputs.dispose();
    targets.dispose();
    rows += size;
    if (i > source.length / 2 && (i % 40 === 0 || i === source.length - 1)) least = Math.min(least, live() - before);
  }
  await source.close?.();
  data.dispose();
  console.log(JSON.stringify({ rows, liveBytes: least, peakBytes: 1024 * process.resourceUsage().maxRSS }));
`;

interface Memory {
  readonly rows: number;
  /** What JavaScript and tensors held all the time in the second half of the epoch. */
  readonly liveBytes: number;
  /** Most that the process ever had. */
  readonly peakBytes: number;
}

async function memoryOf(kind: string, path: string, stream: boolean): Promise<Memory> {
  const options = ['--expose-gc', '--max-semi-space-size=1', '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)(process.execPath, [...options, kind, path, String(stream)]);
  return JSON.parse(stdout) as Memory;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-memory-'));
  for (const count of [20_000, 200_000]) {
    const file = await open(join(folder, `rows-${count}.csv`), 'w');
    await file.write('x0,x1,x2,x3,x4,x5,city,y\n');
    for (let start = 0; start < count; start += 10_000) {
      const lines = Array.from({ length: 10_000 }, (_, i) => {
        const k = start + i;
        const x = Array.from({ length: 6 }, (_, j) => ((k * (2 * j + 3)) % 251) / 251);
        return `${x.join()},${['Rome', 'Oslo', 'Bonn', 'Lima'][Math.floor(k / 3) % 4]},${((k * 7) % 97) / 97}\n`;
      });
      await file.write(lines.join(''));
    }
    await file.close();
  }
});
afterAll(() => rm(folder, { recursive: true }));

const megabyte = 2 ** 20;

test.each([
  ['csv', (count: number) => join(folder, `rows-${count}.csv`)],
  ['parquet', (count: number) => fixture(`rows-${count}.parquet`)],
])('a streamed %s file of ten times the rows takes no more memory', async (kind, path) => {
  const few = await memoryOf(kind, path(20_000), true);
  const many = await memoryOf(kind, path(200_000), true);
  expect(many.rows).toBeGreaterThan(9 * few.rows);
  // The order of the rows alone would be 0.7 MB, the encoded rows 8, the text 28.
  expect(many.liveBytes - few.liveBytes).toBeLessThan(0.5 * megabyte);
  expect(many.peakBytes - few.peakBytes).toBeLessThan(100 * megabyte);
});
