import { readFileSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as zlib from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { openParquet } from './parquet.js';
import type { ChunkPlace, RawRows } from './raw-rows.js';
import { readParquet } from './read-table.js';

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
/** What pyarrow wrote. */
const written = JSON.parse(readFileSync(fixture('parquet.json'), 'utf8')) as Record<string, (number | string | null)[]>;
const categorical = ['city', 'kind', 'coded'];
const zstd = 'zstdDecompressSync' in zlib;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-parquet-'));
});
afterAll(() => rm(folder, { recursive: true }));

test.each(['none', 'snappy', 'gzip', 'brotli', ...(zstd ? ['zstd'] : []), 'v2'])(
  'every type, packed with %s',
  async (codec) => {
    const { rows, numeric, categorical: texts } = await readParquet(fixture(`types-${codec}.parquet`), { categorical });
    expect(rows).toBe(50);
    expect([...numeric.keys(), ...texts.keys()]).toEqual(Object.keys(written));
    for (const [name, values] of numeric) {
      const expected = (written[name] ?? []).map((value) => (value === null ? Number.NaN : Number(value)));
      if (name === 'price') expect([...values]).toBeAllclose(expected, { rtol: 1e-12 });
      else expect([name, ...values]).toEqual([name, ...expected]);
    }
    for (const [name, { values, codes }] of texts)
      expect([name, ...Array.from(codes, (code) => values[code] ?? null)]).toEqual([name, ...(written[name] ?? [])]);
  },
);

const pages = JSON.parse(readFileSync(fixture('pages.json'), 'utf8')) as Record<string, (number | string | null)[]>;

test.each(['v1', 'v2'])('pages of dictionaries, then plain ones, of several row groups: %s', async (version) => {
  const {
    rows,
    numeric,
    categorical: texts,
  } = await readParquet(fixture(`pages-${version}.parquet`), {
    categorical: ['text', 'w3'],
  });
  expect(rows).toBe(700);
  for (const [name, values] of numeric)
    expect([name, ...values]).toEqual([name, ...(pages[name] ?? []).map((value) => value ?? Number.NaN)]);
  for (const [name, { values, codes }] of texts) {
    const expected = (pages[name] ?? []).map((value) => (value === null ? null : String(value)));
    expect([name, ...Array.from(codes, (code) => values[code] ?? null)]).toEqual([name, ...expected]);
    expect(values).toEqual([...new Set(expected.filter((value) => value !== null))]);
  }
});

test('row groups are chunks, and only the wanted columns are read', async () => {
  const reader = await openParquet(fixture('types-snappy.parquet'));
  expect(reader.columns).toEqual(Object.keys(written));
  const columns = { numbers: ['f64', 'i8'], texts: ['kind'] };
  const seen: { chunk: RawRows; place: ChunkPlace }[] = [];
  await reader.scan(columns, (chunk, place) => seen.push({ chunk, place }));
  expect(seen.map(({ place }) => [place.start, place.end, place.rows])).toEqual([
    [0, 20, 20],
    [20, 40, 20],
    [40, 50, 10],
  ]);
  for (const { chunk, place } of seen) expect(await reader.read(columns, place)).toEqual(chunk);
  expect([...(seen[2]?.chunk.numbers[0] ?? [])]).toEqual(written.f64?.slice(40));
  await expect(reader.read(columns, { start: 10, end: 20, firstRow: 10, rows: 10 })).rejects.toThrow('as before');
});

test('names the file, and what is wrong', async () => {
  await expect(readParquet(join(folder, 'none.parquet'))).rejects.toThrow('got nothing there - check the path');
  await expect(readParquet(fixture('types-none.parquet'))).rejects.toThrow(
    /expected a number in row 1, column "city" of .*types-none\.parquet, got "Rome" - list the column in categorical or ignore/,
  );
  await expect(readParquet(fixture('types-none.parquet'), { columns: ['citty'] })).rejects.toThrow(
    "did you mean 'city'?",
  );
  await expect(readParquet(fixture('types-lz4.parquet'), { columns: ['f64'] })).rejects.toThrow(
    /got: pages packed with LZ4\w* - write it with snappy, gzip, brotli or no compression/,
  );
});

test.runIf(!zstd)('Zstandard needs a newer Node', async () => {
  await expect(readParquet(fixture('types-zstd.parquet'), { columns: ['f64'] })).rejects.toThrow(
    'or use Node from 22.15',
  );
});

test('a file that is cut off is an error that names it', async () => {
  const whole = await readFile(fixture('types-snappy.parquet'));
  const path = join(folder, 'cut.parquet');
  for (const length of [0, 4, 8, 100, 5000, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, length));
    const error: unknown = await readParquet(path, { categorical }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ShallowsError);
    expect((error as ShallowsError).message).toContain(path);
  }
});

const scanAll = async (path: string): Promise<void> =>
  (await openParquet(path)).scan({ numbers: ['i8', 'some'], texts: ['city'] }, () => {});

test('any byte of a file may be damaged: it reads, or is an error that names it, and nothing is left behind', async () => {
  const whole = await readFile(fixture('few.parquet'));
  const path = join(folder, 'damaged.parquet');
  await writeFile(path, whole);
  const unhandled: unknown[] = [];
  const listen = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listen);
  const handle = await open(path, 'r+');
  let refused = 0;
  for (const flipped of [0xff, 0x01]) {
    for (const [at, byte] of whole.entries()) {
      await handle.write(Uint8Array.of(byte ^ flipped), 0, 1, at);
      const read = await scanAll(path).catch((caught: unknown) => caught);
      if (read instanceof Error) refused++;
      if (read instanceof Error && !(read instanceof ShallowsError && read.message.includes(path)))
        throw new Error(`byte ${at} ^ ${flipped}`, { cause: read });
      await handle.write(whole, at, 1, at);
    }
  }
  await new Promise(setImmediate);
  await handle.close();
  process.off('unhandledRejection', listen);
  expect(unhandled).toEqual([]);
  expect(refused).toBeGreaterThan(whole.length);
});

test.each([
  [
    'a chunk that ends behind the file',
    10,
    [0xfe, 0x7f],
    'got: a part from byte 4 to 8195, of 942 bytes - the file is',
  ],
  ['a chunk of negative length', 10, [0xff, 0x7f], 'got: a part from byte 4 to -8188, of 942 bytes - the file is'],
  ['other values than rows', 5, [0x0e], 'got: 7 values for 6 rows of i8 - the file is'],
  ['a column that is there twice', 55, [...Buffer.from('city')], 'got: column some 0 times - the file is'],
])('%s', async (_what, after, bytes, message) => {
  const whole = await readFile(fixture('few.parquet'));
  whole.set(bytes, whole.indexOf('i8', whole.indexOf('i8') + 1) + after);
  const path = join(folder, 'changed.parquet');
  await writeFile(path, whole);
  await expect(readParquet(path, { categorical: ['city'] })).rejects.toThrow(message);
});

test('a footer that says more rows than memory holds', async () => {
  const whole = await readFile(fixture('few.parquet'));
  // Behind the three columns of the first row group, which say 6 values each.
  const says6 = Uint8Array.of(0x16, 12);
  let at = whole.length - 8 - whole.readUInt32LE(whole.length - 8);
  for (let i = 0; i < 4; i++) at = whole.indexOf(says6, at) + 2;
  const rows = Buffer.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 4);
  const changed = Buffer.concat([whole.subarray(0, at - 1), rows, whole.subarray(at)]);
  changed.writeUInt32LE(whole.readUInt32LE(whole.length - 8) + rows.length - 1, changed.length - 8);
  const path = join(folder, 'long.parquet');
  await writeFile(path, changed);
  await expect(readParquet(path, { categorical: ['city'] })).rejects.toThrow(
    /expected memory for the 1125899906842630 rows that .*long\.parquet says it has, got .* - read fewer columns/,
  );
});

test('lists and records are refused', async () => {
  await expect(readParquet(fixture('lists.parquet'))).rejects.toThrow(
    /expected numbers or texts in column "(pair|list)" of .*lists\.parquet, got lists or records - list the column in ignore/,
  );
  expect((await readParquet(fixture('lists.parquet'), { columns: ['x'] })).numeric.get('x')).toEqual(
    Float64Array.of(1, 2),
  );
});
