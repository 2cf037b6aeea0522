import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { openCsv } from './csv.js';
import type { ChunkPlace, RawRows } from './raw-rows.js';
import { type ReadCsvOptions, readCsv } from './read-table.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-csv-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(text: string | Uint8Array, name = 'a.csv'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function read(text: string | Uint8Array, options: ReadCsvOptions = {}) {
  const { rows, numeric, categorical } = await readCsv(await file(text), options);
  return {
    rows,
    ...Object.fromEntries([...numeric].map(([name, values]) => [name, [...values]])),
    ...Object.fromEntries(
      [...categorical].map(([name, { values, codes }]) => [name, Array.from(codes, (code) => values[code] ?? null)]),
    ),
  };
}

describe('readCsv', () => {
  test('numbers, quoted cells, line ends, empty lines, a mark of byte order', async () => {
    const categorical = ['b'];
    const text = 'a,b,c\n1,x,2.5\n-3e2,"y, ""z""\nw",.5\n\n+4,  v ,0\n';
    const wanted = { rows: 3, a: [1, -300, 4], b: ['x', 'y, "z"\nw', '  v '], c: [2.5, 0.5, 0] };
    expect(await read(text, { categorical })).toEqual(wanted);
    expect(await read(`\ufeff${text}`, { categorical })).toEqual(wanted);
    expect(await read(text.trimEnd(), { categorical })).toEqual(wanted);
    expect(await read(text.replaceAll(/(?<!""")\n/g, '\r\n'), { categorical })).toEqual({
      ...wanted,
      b: ['x', expect.stringMatching(/^y, "z"\r?\nw$/), '  v '],
    });
  });

  test('what is missing, and true and false', async () => {
    expect(await read('a,b\n,NA\nTRUE, \nfalse,x\n', { categorical: ['b'] })).toEqual({
      rows: 3,
      a: [Number.NaN, 1, 0],
      b: [null, null, 'x'],
    });
    const own = await read('a,b\n-999,NA\n1,?\n', { categorical: ['b'], missingValues: ['-999', '?'] });
    expect(own).toEqual({ rows: 2, a: [Number.NaN, 1], b: ['NA', null] });
  });

  test('other delimiters, no header, some columns, in the order asked for', async () => {
    expect(await read('1;2;3\n4;5;6\n', { delimiter: ';', header: false })).toEqual({
      rows: 2,
      0: [1, 4],
      1: [2, 5],
      2: [3, 6],
    });
    const { numeric } = await readCsv(await file('2020,2019,a\n1,2,3\n'), { columns: ['2020', 'a', '2019'] });
    expect([...numeric.keys()]).toEqual(['2020', 'a', '2019']);
    expect([...numeric.values()].map((values) => values[0])).toEqual([1, 3, 2]);
  });

  test('a file of a header alone has no rows', async () => {
    expect(await read('a,b\n')).toEqual({ rows: 0, a: [], b: [] });
  });

  test.each([
    ['a,b\n1,2\n3,x\n', {}, 'expected a number in row 2, column "b" of '],
    ['a\n1\nInfinity\n', {}, 'row 2, column "a" of '],
    ['a\n0,5\n', {}, 'expected the same cells in every line'],
    ['a,b\n1,2\n3\n', {}, 'line 3'],
    ['a\n"x\n', {}, 'expected the same cells in every line'],
    ['a,a\n1,2\n', {}, 'got "a" twice'],
    ['age,b\n1,2\n', { columns: ['agee'] }, `expected a column "agee" in `],
    ['age,b\n1,2\n', { columns: ['agee'] }, "did you mean 'age'?"],
    ['a,b\n1,2\n', { columns: ['a'], categorical: ['b'] }, 'expected categorical columns among those read'],
    ['', {}, 'got an empty file'],
    ['\n\n', {}, 'got an empty file'],
  ])('refuses %j %j', async (text, options, message) => {
    const error: unknown = await read(text, options).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ShallowsError);
    expect((error as ShallowsError).message).toContain(message);
  });

  test('a file that is not there, is packed, or is a folder', async () => {
    await expect(readCsv(join(folder, 'none.csv'))).rejects.toThrow('got nothing there - check the path');
    await expect(read(gzipSync('a\n1\n'))).rejects.toThrow('got gzip - unpack it first');
    await expect(readCsv(folder)).rejects.toThrow('got a folder');
  });
});

describe('chunks', () => {
  const rows = 10_000;
  const text = `n,t\n${Array.from({ length: rows }, (_, i) => `${i},"${i % 7 === 0 ? 'ü\n' : 'é'}${i}"\n`).join('')}`;
  const columns = { numbers: ['n'], texts: ['t'] };
  const open = async (content: string) =>
    openCsv({ format: 'csv', path: await file(content, 'big.csv'), delimiter: ',', header: true, missingValues: [''] });

  test('each chunk can be read by itself, and is what the scan saw', async () => {
    const reader = await open(text);
    const seen: { chunk: RawRows; place: ChunkPlace }[] = [];
    await reader.scan(columns, (chunk, place) => seen.push({ chunk, place }));
    expect(seen.map(({ place }) => place.rows)).toEqual([4096, 4096, 1808]);
    expect(seen.map(({ place }) => place.firstRow)).toEqual([0, 4096, 8192]);
    for (const { chunk, place } of seen) expect(await reader.read(columns, place)).toEqual(chunk);
    const last = seen.at(-1)?.chunk;
    expect([last?.numbers[0]?.at(-1), last?.texts[0]?.at(-1)]).toEqual([9999, 'é9999']);
  });

  test('a file that changes in between is an error, not other numbers', async () => {
    const reader = await open(text);
    const places: ChunkPlace[] = [];
    await reader.scan(columns, (_, place) => places.push(place));
    const [, second] = places;
    if (second === undefined) throw new Error('one chunk');
    for (const changed of [
      text.slice(0, 60_000),
      text.slice(0, 100),
      text.replaceAll('"', ''),
      text.replaceAll('9', ''),
      '',
    ]) {
      await file(changed, 'big.csv');
      await expect(reader.read(columns, second)).rejects.toThrow(
        /as before, got (\d+|others) - leave the file as it is/,
      );
    }
  });
});
