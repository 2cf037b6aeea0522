import { join } from 'node:path';
import type { Benchmark } from '../benchmark.js';
import { type Comparison, compare, comparisonGoal, comparisonTables, type Pairing } from '../comparison.js';
import { runJson } from '../interleave.js';
import { ours, peer } from '../programs.js';

const WORKERS = 2;
const works = {
  pictures: {
    work: 'JPEG 500 × 375 to 128², crop, flip',
    figure: 'a picture, decoded and augmented, µs',
    peer: 'torchvision, PIL, 2 workers',
  },
  csv: { work: 'CSV, 11 numbers and a category', figure: 'a row of CSV, µs', peer: 'pandas, C or pyarrow' },
  parquet: {
    work: 'Parquet (Snappy), 11 numbers and a category',
    figure: 'a row of Parquet, µs',
    peer: 'pandas, pyarrow',
  },
} as const;

/** From files to numbers. */
export const data: Benchmark<Comparison> = {
  name: 'data',
  about:
    'From files to numbers: pictures decoded, resized, cropped at random and mirrored by two workers; tables read whole, ' +
    'five times to warm up and then timed. ' +
    'Files are in the memory of the system. PIL is asked for drafts, pandas for its faster engine.',
  run(context) {
    const { python, quick, folder, tell } = context;
    const [pictures, rows, rounds] = quick ? [64, 5000, 1] : [1024, 300_000, 5];
    tell('writing pictures and a table');
    runJson(ours('make-data', folder, pictures, rows));
    const csv = join(folder, 'table.csv');
    const parquet = join(folder, 'table.parquet');
    const maker = peer(python, 'table', 'make', csv, parquet);
    const pairing = (kind: keyof typeof works, path: string, program: string, ...args: string[]): Pairing => ({
      ...{ work: works[kind].work, threads: WORKERS, rounds },
      ours: { command: ours('data', kind, path, WORKERS) },
      peers: [{ name: works[kind].peer, command: peer(python, program, ...args) }],
    });
    const path = join(folder, 'pictures');
    const found = [
      ...compare(context, pairing('pictures', path, 'pictures', path, String(WORKERS))),
      ...compare(context, pairing('csv', csv, 'table', 'csv', csv)),
    ];
    // Parquet files are written by the peer: there is none without it.
    if (maker === null) {
      tell('Parquet: skipped, no Python to write it');
      return found;
    }
    runJson(maker);
    return [...found, ...compare(context, pairing('parquet', parquet, 'table', 'parquet', parquet))];
  },
  tables: (rows) => comparisonTables('Reading', rows),
  goals: (rows) =>
    Object.values(works).map(({ work, figure, peer: name }) =>
      comparisonGoal(rows, { work, figure, peer: name }, { goal: 7, what: `reading ${work}`, limit: { atMost: 1 } }),
    ),
};
