import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSafetensors, ones, rand, scope, stats, type Tensor, tensor, zeros } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bringBuiltUpToDate } from '../../../../../tests/support/built.js';
import { settledTensors } from '../../../../../tests/support/settled-tensors.js';
import { ShallowsError } from '../../errors.js';
import type { Progress } from '../events.js';
import type { Snapshot } from '../state.js';
import { holdCheckpoint } from './hold.js';
import { verifyCheckpoint } from './inspect.js';
import { readCheckpointModel } from './read.js';
import { CheckpointStore } from './store.js';

// The thread runs what is built.
beforeAll(bringBuiltUpToDate);

const home = mkdtempSync(join(tmpdir(), 'shallows-store-'));
afterAll(() => rmSync(home, { recursive: true }));
let folders = 0;
const newFolder = (): string => join(home, String(++folders));

const at = (batch: number): Progress => ({
  epoch: Math.floor(batch / 10),
  batch,
  sample: 8 * batch,
  elapsedMs: batch,
  fraction: 0,
});
const one = (value: number): Snapshot => ({ tensors: { 'model.w': tensor([value]) }, json: { value } });

async function savedValue(store: CheckpointStore, path: string): Promise<unknown> {
  using snapshot = await store.read(path);
  return snapshot.json['value'];
}

describe('saving and reading', () => {
  test('every tensor and number comes back as it was, the model by the keys of its state dict', async () => {
    await using store = new CheckpointStore(newFolder());
    const tensors = {
      'model.conv1.weight': rand([4, 3, 3, 3]).to('cpu'),
      'model.bn1.num_batches_tracked': tensor(7n),
      'optimizer.0.momentum_buffer': rand([30, 40]).t(),
      'optimizer.1.exp_avg': rand([5]).to('bfloat16'),
      'algorithm.ema.mask': tensor([true, false]),
      modelless: zeros([0, 3]),
    };
    const json = { clock: { batch: 12 }, best: Number.NEGATIVE_INFINITY, losses: [0.1, Number.NaN, -0], note: 'ü' };
    const saved = await store.save({ tensors, json }, { progress: at(12), metrics: { 'validation.loss': 0.5 } });
    expect(saved).toMatchObject({ name: 'ep1-ba12', path: join(store.folder, 'ep1-ba12'), superseded: [] });

    using snapshot = await store.read(saved.path);
    expect(Object.keys(snapshot.tensors).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, each] of Object.entries(tensors)) {
      expect(snapshot.tensors[name]?.dtype).toBe(each.dtype);
      expect(snapshot.tensors[name]?.equal(each), name).toBe(true);
    }
    expect(snapshot.json).toEqual(json);
    expect(snapshot.manifest).toMatchObject({
      schema: 1,
      sequence: 1,
      progress: at(12),
      metrics: { 'validation.loss': 0.5 },
    });

    const model = readCheckpointModel(saved.path);
    expect(Object.keys(model).sort()).toEqual(['bn1.num_batches_tracked', 'conv1.weight']);
    const plain = loadSafetensors(join(saved.path, 'model.safetensors')).tensors;
    expect(Object.keys(plain).sort()).toEqual(Object.keys(model).sort());
    const sizes = readdirSync(saved.path).map((name) => readFileSync(join(saved.path, name)).length);
    expect(saved.bytes).toBe(sizes.reduce((sum, size) => sum + size));
    expect(readdirSync(saved.path).sort()).toEqual([
      'COMPLETE',
      'manifest.json',
      'model.safetensors',
      'state.json',
      'state.safetensors',
    ]);
    expect(store.statistics).toMatchObject({ saves: 1, failures: 0, superseded: 0, bytes: saved.bytes });
    expect(store.statistics.expectedMs).toBe(saved.durationMs);
    for (const each of [...Object.values(tensors), ...Object.values(model), ...Object.values(plain)]) each.dispose();
  });

  test('what is saved is what was there when save was called, and no tensor outlives it', async () => {
    await using store = new CheckpointStore(newFolder());
    const weight = zeros([1000]);
    const live = await settledTensors();
    const saving = store.save({ tensors: { 'model.w': weight }, json: {} }, { progress: at(1) });
    scope(() => weight.add_(1));
    const { path } = await saving;
    const { w } = readCheckpointModel(path);
    expect(w?.sum().item()).toBe(0);
    w?.dispose();
    weight.dispose();
    expect(stats().liveTensors).toBe(live);
  });

  test('the thread that computes takes no part: it may stand still until the checkpoint is there', async () => {
    await using store = new CheckpointStore(newFolder());
    await store.save(one(0), { progress: at(1) });
    const big = rand([4_000_000]);
    const saving = store.save({ tensors: { 'model.big': big }, json: {} }, { progress: at(2) });
    // One turn of the event loop hands the job over; then nothing here runs but this loop.
    await new Promise((resolve) => setImmediate(resolve));
    const wait = new Int32Array(new SharedArrayBuffer(4));
    const path = join(store.folder, 'ep0-ba2');
    for (let i = 0; i < 6000 && !existsSync(path); i++) Atomics.wait(wait, 0, 0, 10);
    expect(verifyCheckpoint(path)).toBeNull();
    expect((await saving).path).toBe(path);
    big.dispose();
  });

  test('a name that is taken gets a number: what is there is never replaced', async () => {
    await using store = new CheckpointStore(newFolder());
    mkdirSync(store.folder, { recursive: true });
    writeFileSync(join(store.folder, 'best.2'), 'a file of somebody');
    const names: string[] = [];
    for (const value of [1, 2, 3]) names.push((await store.save(one(value), { name: 'best', progress: at(1) })).name);
    expect(names).toEqual(['best', 'best.3', 'best.4']);
    expect(await Promise.all(names.map((name) => savedValue(store, name)))).toEqual([1, 2, 3]);
    expect((await store.latest()).checkpoint?.name).toBe('best.4');
  });

  test('another store goes on counting, also with the batches of an earlier state', async () => {
    const folder = newFolder();
    await using first = new CheckpointStore(folder);
    await first.save(one(1), { progress: at(50) });
    await using second = new CheckpointStore(folder);
    await second.save(one(2), { progress: at(20) });
    const list = await second.list();
    expect(list.map(({ name, manifest }) => [name, manifest?.sequence])).toEqual([
      ['ep5-ba50', 1],
      ['ep2-ba20', 2],
    ]);
    expect((await second.latest()).checkpoint?.name).toBe('ep2-ba20');
  });
});

describe('one write at a time', () => {
  test('saves that come together: the first is written, the last takes the place of those between', async () => {
    await using store = new CheckpointStore(newFolder(), { retention: {} });
    const saving = [1, 2, 3, 4].map((batch) => store.save(one(batch), { progress: at(batch) }));
    expect(store.saving).toBe(true);
    const [first, ...others] = await Promise.all(saving);
    expect(store.statistics).toMatchObject({ failures: 0 });
    const newest = others.at(-1);
    expect(newest?.name).toBe('ep0-ba4');
    for (const each of others) expect(each).toEqual(newest);
    expect(first?.name).toBe('ep0-ba1');
    expect((await store.list()).map(({ name }) => name)).toEqual(['ep0-ba1', 'ep0-ba4']);
    expect(newest?.superseded).toEqual(['ep0-ba2', 'ep0-ba3']);
    expect(store.statistics.superseded).toBe(2);
    await store.wait();
    expect(store.saving).toBe(false);
  });

  test('who looks for room loses no save', async () => {
    await using store = new CheckpointStore(newFolder(), { retention: {} });
    for (let batch = 1; batch <= 20; batch++) {
      await store.room();
      void store.save(one(batch), { progress: at(batch) });
    }
    await store.wait();
    expect(store.statistics).toMatchObject({ saves: 20, superseded: 0 });
  });

  test('a hundred saves without waiting end with the newest, and none is broken', async () => {
    await using store = new CheckpointStore(newFolder(), { retention: {} });
    for (let batch = 1; batch <= 100; batch++) {
      void store.save(one(batch), { progress: at(batch) });
      if (batch % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await store.wait();
    const { checkpoint, skipped } = await store.latest();
    expect([checkpoint?.manifest.progress.batch, skipped]).toEqual([100, []]);
    for (const { path } of await store.list()) expect(verifyCheckpoint(path)).toBeNull();
    const { saves, superseded } = store.statistics;
    expect(saves + superseded).toBe(100);
  });
});

describe('metrics that come later', () => {
  test('are waited for, though the state is that of the call; nothing is lost where they are wrong', async () => {
    await using store = new CheckpointStore(newFolder(), { retention: { best: { metric: 'loss', mode: 'min' } } });
    let measure: (metrics: Record<string, number>) => void = () => undefined;
    const metrics = new Promise<Record<string, number>>((resolve) => {
      measure = resolve;
    });
    const weight = zeros([1]);
    const saving = store.save({ tensors: { 'model.w': weight }, json: {} }, { progress: at(1), metrics });
    scope(() => weight.add_(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await store.list()).toEqual([]);
    measure({ loss: 3 });
    const { path } = await saving;
    using snapshot = await store.read(path);
    expect([snapshot.manifest.metrics, snapshot.tensors['model.w']?.item()]).toEqual([{ loss: 3 }, 0]);
    const wrong = store.save(one(1), { progress: at(2), metrics: Promise.resolve({ los: 1 }) });
    await expect(wrong).rejects.toThrow(
      /^CheckpointStore\.save: expected the metric "loss" .* got los, did you mean 'los'\?/,
    );
    weight.dispose();
  });
});

describe('what is kept', () => {
  test('the last 3 unless told', async () => {
    await using store = new CheckpointStore(newFolder());
    for (const batch of [1, 2, 3, 4, 5]) await store.save(one(batch), { progress: at(batch) });
    await store.wait();
    expect((await store.list()).map(({ name }) => name)).toEqual(['ep0-ba3', 'ep0-ba4', 'ep0-ba5']);
    expect(readdirSync(store.folder).length).toBe(3);
  });

  test('what somebody reads stays until it is let go', async () => {
    await using store = new CheckpointStore(newFolder(), { retention: { last: 1 } });
    const { path } = await store.save(one(1), { progress: at(1) });
    const hold = holdCheckpoint(path);
    for (const batch of [2, 3]) await store.save(one(batch), { progress: at(batch) });
    await store.wait();
    expect((await store.list()).map(({ name }) => name)).toEqual(['ep0-ba1', 'ep0-ba3']);
    hold[Symbol.dispose]();
    await store.save(one(4), { progress: at(4) });
    await store.wait();
    expect(readdirSync(store.folder)).toEqual(['ep0-ba4']);
  });

  test('a metric that no save has is found at the first that has others', async () => {
    await using store = new CheckpointStore(newFolder(), {
      retention: { best: { metric: 'validation.acuracy', mode: 'max' } },
    });
    await store.save(one(1), { progress: at(1) });
    const metrics = { 'validation.loss': 1, 'validation.accuracy': 0.5 };
    expect(() => store.save(one(1), { progress: at(1), metrics })).toThrow(
      /the metric "validation\.acuracy" that the best are kept by, got validation\.loss, validation\.accuracy, did you mean 'validation\.accuracy'\?/,
    );
  });
});

describe('mistakes', () => {
  const bad: Record<string, Tensor> = {};
  beforeAll(() => {
    bad['w'] = ones([2]).to('complex128');
  });

  test('are found before anything is written', async () => {
    await using store = new CheckpointStore(newFolder());
    const progress = at(1);
    const save =
      (snapshot: Snapshot, info: object = { progress }) =>
      (): unknown =>
        store.save(snapshot, info as { progress: Progress });
    expect(save({ tensors: bad, json: {} })).toThrow(
      /tensor 'w': expected a dtype that the format has, got complex128/,
    );
    expect(save({ tensors: {}, json: { a: undefined } as never })).toThrow(/plain JSON data at \$\.a, got undefined/);
    expect(save(one(1), { progress, name: '../out' })).toThrow(
      /expected a name of at most 100 letters, .* got "\.\.\/out"/,
    );
    expect(save(one(1), { progress, name: '.hidden' })).toThrow(ShallowsError);
    expect(save(one(1), { progress: { ...progress, batch: 0.5 } })).toThrow(
      /expected progress in whole counts .* got progress\.batch/,
    );
    expect(save(one(1), { progress, metrics: { loss: '1' } })).toThrow(/got metrics\.loss: expected a number/);
    expect(existsSync(store.folder)).toBe(false);
    expect(() => new CheckpointStore('')).toThrow(/expected the path of a folder, got ""/);
  });

  test('a closed store saves no more', async () => {
    const store = new CheckpointStore(newFolder());
    await store.save(one(1), { progress: at(1) });
    await store.close();
    expect(() => store.save(one(1), { progress: at(1) })).toThrow(/expected an open store, got one that was closed/);
    await expect(store.latest()).rejects.toThrow(/expected an open store, got one that was closed/);
  });

  test('a failure is told by the promise, or by the next call where nobody waits for it, and once', async () => {
    const folder = newFolder();
    writeFileSync(folder, 'a file stands here');
    const store = new CheckpointStore(folder);
    const message = /expected to write ep0-ba1 into .*, got (ENOTDIR|EEXIST): .* earlier checkpoints are as they were/;
    await expect(store.save(one(1), { progress: at(1) })).rejects.toThrow(message);
    await store.wait();
    void store.save(one(1), { progress: at(1) });
    await expect(store.wait()).rejects.toThrow(message);
    await store.wait();
    void store.save(one(1), { progress: at(1) });
    while (store.saving) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(() => store.save(one(2), { progress: at(2) })).toThrow(message);
    rmSync(folder);
    expect((await store.save(one(2), { progress: at(2) })).name).toBe('ep0-ba2');
    expect(store.statistics).toMatchObject({ saves: 1, failures: 3 });
    await store.close();
  });
});
