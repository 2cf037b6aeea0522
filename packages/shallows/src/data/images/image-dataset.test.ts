import { stats } from '@shallows/torch';
import { expect, test } from 'vitest';
import { type ImageTable, joinTables, sliceTable } from '../table.js';
import { contentDigest, imageDataset } from './image-dataset.js';
import { channelStatistics } from './normalisation.js';

const table: ImageTable = {
  pixels: Uint8Array.from({ length: 3 * 2 * 2 * 2 }, (_, i) => 10 * i),
  labels: Int32Array.of(1, 0, 1),
  shape: [2, 2, 2],
};
const classes = ['a', 'b', 'c'];

test('tensors, counts and shape of a table', () => {
  using set = imageDataset('set', table, classes);
  expect(set.images.shape).toEqual([3, 2, 2, 2]);
  expect(set.images.dtype).toBe('uint8');
  expect([...set.images.toBytes()]).toEqual([...table.pixels]);
  expect(set.labels.dtype).toBe('int64');
  expect([...(set.labels.toArray() as BigInt64Array)]).toEqual([1n, 0n, 1n]);
  expect(set).toMatchObject({ name: 'set', size: 3, shape: [2, 2, 2], classes, classCounts: [1, 2, 0] });
});

test('dispose frees what was made', () => {
  const before = stats().liveTensors;
  const set = imageDataset('set', table, classes);
  expect(stats().liveTensors).toBe(before + 2);
  set.dispose();
  expect(stats().liveTensors).toBe(before);
});

test('the digest is that of the documented bytes, for all time', () => {
  // printf '{"shape":[3,2,2,2],"classes":["a","b","c"]}\n', then the 24 pixels, then 01000000 00000000 01000000: sha256sum
  expect(contentDigest(table, classes)).toBe('2592cbd3a0b74dea61f66879ff58d72a2dd779557f17d70766bbd5d5525c7150');
});

test('the digest sees every part of the content, and nothing else', () => {
  const digest = contentDigest(table, classes);
  const copy = { ...table, pixels: Uint8Array.from(table.pixels), labels: Int32Array.from(table.labels) };
  expect(contentDigest(copy, [...classes])).toBe(digest);
  const parts = joinTables([sliceTable(table, 0, 1), sliceTable(table, 1, 3)]);
  expect(contentDigest(parts, classes)).toBe(digest);
  const others = [
    contentDigest({ ...table, pixels: table.pixels.with(23, 0) }, classes),
    contentDigest({ ...table, labels: Int32Array.of(1, 0, 2) }, classes),
    contentDigest({ ...table, shape: [1, 4, 2] }, classes),
    contentDigest(table, ['a', 'b', 'd']),
    contentDigest(sliceTable(table, 0, 2), classes),
  ];
  expect(new Set([digest, ...others]).size).toBe(6);
});

test('a label without a class, and a table without rows', () => {
  expect(() => imageDataset('set', table, ['a'])).toThrow('expected labels from 0 to 0 in set, got 1 in row 0');
  expect(() => imageDataset('set', { ...table, labels: Int32Array.of(0, -1, 0) }, classes)).toThrow('got -1 in row 1');
  expect(() => imageDataset('set', sliceTable(table, 0, 0), classes)).toThrow('expected rows in set, got none');
});

test('channel statistics are those of the definition', () => {
  const pixels = Uint8Array.from({ length: 40 * 3 * 5 * 7 }, (_, i) => (Math.imul(i, 2654435761) >>> 11) % 256);
  const shape = [3, 5, 7] as const;
  for (let i = 0; i < 40; i++) pixels.fill(200, (3 * i + 2) * 35, (3 * i + 3) * 35);
  using set = imageDataset('set', { pixels, labels: new Int32Array(40), shape }, ['a']);
  const { mean, std } = channelStatistics(set.images);
  for (const channel of [0, 1]) {
    const values = [...pixels].filter((_, i) => Math.floor(i / 35) % 3 === channel).map((value) => value / 255);
    const average = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / values.length;
    expect(mean[channel]).toBeCloseTo(average, 12);
    expect(std[channel]).toBeCloseTo(Math.sqrt(variance), 12);
  }
  // One value throughout: its deviation is given as 1, not as a 0 to divide by.
  expect(mean[2]).toBeCloseTo(200 / 255, 12);
  expect(std[2]).toBe(1);
});
