import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { openCsv } from './csv.js';
import type { ChunkPlace, RawRows } from './raw-rows.js';
import { type ReadCsvOptions, readCsv } from './read-table.js';
import { type TextColumn, textAt } from './text-column.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-csv-'));
});
afterAll(() => rm(folder, { recursive: true }));

const allTexts = (column: TextColumn): (string | null)[] => Array.from(column.codes, (_, row) => textAt(column, row));

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

  test('decimals are the numbers that Number gives, signs of zero too', async () => {
    const cells = ['-0', '+0', '0.1', '-.5', '5.', '00012', '123456789012345', '0.000000000000001', '9007199254740993'];
    cells.push('1.7976931348623157e308', '4.9e-324', ' 7 ', '-1.25E-3', '0.30000000000000004', '1234567.890123');
    for (let i = 0; i < 5000; i++) {
      const digits = String(Math.floor(((i * 0.618033988749895) % 1) * 10 ** ((i % 17) + 1)));
      const point = i % (digits.length + 1);
      cells.push(`${i % 3 === 0 ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}0`);
    }
    const { numeric } = await readCsv(await file(`a\n${cells.join('\n')}\n`));
    expect([...(numeric.get('a') ?? [])]).toEqual(cells.map(Number));
    const last = await readCsv(await file(`b,a\r\n${cells.map((cell) => `x,${cell}`).join('\r\n')}`), {
      categorical: ['b'],
    });
    expect([...(last.numeric.get('a') ?? [])]).toEqual(cells.map(Number));
  });

  test('what is quoted far down, after megabytes that are not', async () => {
    const rows = 60_000;
    const lines = Array.from({ length: rows }, (_, i) => `${i},name ${i % 5000} ü,${i / 8}`);
    lines[50_000] = '50000,"a, ""b""\nc",6250';
    const { numeric, categorical } = await readCsv(await file(`i,t,x\r\n${lines.join('\r\n')}\r\n`), {
      categorical: ['t'],
    });
    expect(numeric.get('i')).toEqual(Float64Array.from({ length: rows }, (_, i) => i));
    expect(numeric.get('x')).toEqual(Float64Array.from({ length: rows }, (_, i) => i / 8));
    const { values = [], codes = new Int32Array() } = categorical.get('t') ?? {};
    const texts = Array.from(codes, (code) => values[code]);
    expect(texts[50_000]).toBe('a, "b"\nc');
    expect(texts.toSpliced(50_000, 1)).toEqual(
      Array.from({ length: rows }, (_, i) => `name ${i % 5000} ü`).toSpliced(50_000, 1),
    );
  });

  test('lines longer than what is read at once, and lines cut anywhere by it', async () => {
    const long = 'ü'.repeat(700_000);
    const lines = Array.from({ length: 40_000 }, (_, i) => `${i},${'x'.repeat(i % 61)}`);
    lines[20_000] = `20000,${long}`;
    lines[30_000] = `30000,${'y'.repeat(70_000)}`;
    const { numeric, categorical } = await readCsv(await file(`i,t\n${lines.join('\n')}`), { categorical: ['t'] });
    expect(numeric.get('i')).toEqual(Float64Array.from(lines, (_, i) => i));
    const { values = [], codes = new Int32Array() } = categorical.get('t') ?? {};
    const wrong = lines.findIndex((line, i) => line !== `${i},${codes[i] === -1 ? '' : values[codes[i] ?? -1]}`);
    expect(wrong).toBe(-1);
  });

  test('a column may be a number and a text at once, and a number may stand for a missing one', async () => {
    const reader = await openCsv({
      ...{ format: 'csv', path: await file('a,b\n1,2\n-9,4\n'), delimiter: ',', header: true, missingValues: ['-9'] },
    });
    const chunks: RawRows[] = [];
    await reader.scan({ numbers: ['a', 'b'], texts: ['a'] }, (rows) => chunks.push(rows));
    expect(chunks.map(({ numbers, texts }) => [numbers.map((each) => [...each]), texts.map(allTexts)])).toEqual([
      [
        [
          [1, Number.NaN],
          [2, 4],
        ],
        [['1', null]],
      ],
    ]);
  });

  test('a file of a header alone has no rows', async () => {
    expect(await read('a,b\n')).toEqual({ rows: 0, a: [], b: [] });
  });

  test.each([
    ['a,b\n1,2\n3,x\n', {}, 'expected a number in row 2, column "b" of '],
    ['a\n1\nInfinity\n', {}, 'row 2, column "a" of '],
    ['a\n0,5\n', {}, 'expected the same cells in every line'],
    ['a,b\n1,2\n3\n', {}, 'got 1 instead of 2 in line 3'],
    ['a,b\n\n1,2\n"3",4\n5,6,7\n', {}, 'got 3 instead of 2 in line 5'],
    ['a,b\n1,2\n"3\n\n', {}, 'got Quote Not Closed: the parsing is finished with an opening quote at line'],
    ['a,b\n1,2\n3,"4"5\n', {}, 'line 3'],
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

  test.each([
    ['quoted', text],
    ['quoted, with a mark of byte order and empty lines', `\ufeff\n${text.replaceAll(/(?<=")\n(?=1)/g, '\n\n')}`],
    ['plain', text.replaceAll(/"(ü\n)?/g, '')],
    ['plain, with a mark of byte order', `\ufeff${text.replaceAll(/"(ü\n)?/g, '').replaceAll('\n', '\r\n')}`],
  ])('each chunk can be read by itself, and is what the scan saw: %s', async (_, content) => {
    const reader = await open(content);
    const seen: { chunk: RawRows; place: ChunkPlace }[] = [];
    await reader.scan(columns, (chunk, place) => seen.push({ chunk, place }));
    expect(seen.map(({ place }) => place.rows)).toEqual([4096, 4096, 1808]);
    expect(seen.map(({ place }) => place.firstRow)).toEqual([0, 4096, 8192]);
    for (const { chunk, place } of seen) expect(await reader.read(columns, place)).toEqual(chunk);
    const last = seen.at(-1)?.chunk;
    expect(last?.numbers[0]?.at(-1)).toBe(9999);
    expect(textAt(last?.texts[0], 1807)).toMatch(/^é?9999$/);
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
