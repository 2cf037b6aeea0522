import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tensor } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bringBuiltUpToDate } from '../../../../../tests/support/built.js';
import { ShallowsError } from '../../errors.js';
import type { Training } from '../algorithm.js';
import type { EndReason, Evaluation } from '../events.js';
import { type Checkpointing, type CheckpointingOptions, checkpointing } from './checkpointing.js';
import { GraceWatch } from './grace.js';
import { readCheckpoint } from './read.js';
import { CheckpointStore } from './store.js';

beforeAll(bringBuiltUpToDate);
const home = mkdtempSync(join(tmpdir(), 'shallows-checkpointing-'));
afterAll(() => rmSync(home, { recursive: true }));
let folders = 0;
const newFolder = (): string => join(home, String(++folders));

interface RunOptions {
  readonly batches: number;
  readonly from?: number;
  /** Loss of the validation set in the evaluation after a batch. */
  readonly evaluate?: (batch: number) => number | null;
  readonly onBatch?: (batch: number) => void | Promise<void>;
  readonly ended?: EndReason | null;
  readonly world?: { readonly rank: number; readonly size: number };
  readonly msPerBatch?: number;
}

/** Plays a run of 5 batches an epoch, event by event as the trainer has them; says what it warned of. */
async function play(algorithm: Checkpointing, options: RunOptions): Promise<string[]> {
  const { batches, from = 0, evaluate = () => null, onBatch, ended = 'done', world = { rank: 0, size: 1 } } = options;
  const warnings: string[] = [];
  let batch = from;
  const state = tensor([from]);
  const training = {
    world,
    ended: null as EndReason | null,
    timeline: { batchesPerEpoch: 5, batchSize: 4, samplesPerEpoch: 20, duration: 20 },
    get progress() {
      const elapsedMs = batch * (options.msPerBatch ?? 1000);
      return { epoch: Math.floor(batch / 5), batch, sample: 4 * batch, elapsedMs, fraction: batch / 20 };
    },
    warn: (message: string) => void warnings.push(message),
    checkpoint: async (_: string, save: Parameters<Training['checkpoint']>[1]) => {
      const saving = save({ tensors: { 'model.w': state }, json: { batch } });
      saving.catch(() => undefined);
    },
  };
  const t = training as unknown as Training;
  const evaluated = async (): Promise<void> => {
    const loss = evaluate(batch);
    if (loss === null) return;
    const evaluation: Evaluation = { train: { loss: 0 }, validation: { loss }, gap: { loss } };
    await algorithm.onEvaluationEnd?.(t, evaluation);
  };
  try {
    await algorithm.onFitStart?.(t);
    if (batch % 5 === 0) await algorithm.onEpochStart?.(t);
    while (batch < from + batches) {
      algorithm.onBatchStart?.(t, {} as never);
      state.add_(1);
      batch++;
      await onBatch?.(batch);
      await algorithm.onBatchEnd?.(t);
      await evaluated();
      if (batch % 5 === 0 && batch < from + batches) await algorithm.onEpochStart?.(t);
      await new Promise((resolve) => setImmediate(resolve));
    }
    training.ended = ended;
  } finally {
    await algorithm.onFitEnd?.(t);
    state.dispose();
  }
  return warnings;
}

async function names(
  every: CheckpointingOptions['every'],
  run: RunOptions,
  rest: Partial<CheckpointingOptions> = {},
): Promise<string[]> {
  await using store = new CheckpointStore(newFolder(), { retention: {} });
  await play(checkpointing({ store, ...(every === undefined ? {} : { every }), ...rest }), run);
  return (await store.list()).map(({ name }) => name.replace(/^ep\d+-ba/, ''));
}

describe('when a run is saved', () => {
  test.each<[CheckpointingOptions['every'], RunOptions, string[]]>([
    [undefined, { batches: 12 }, ['0', '5', '10', '12']],
    ['4ba', { batches: 12 }, ['0', '4', '8', '12']],
    ['0.5ep', { batches: 9 }, ['0', '3', '6', '9']],
    ['16sp', { batches: 9 }, ['0', '4', '8', '9']],
    ['0.25dur', { batches: 12 }, ['0', '5', '10', '12']],
    ['3sec', { batches: 7 }, ['0', '3', '6', '7']],
    ['3sec', { batches: 4, msPerBatch: 2000 }, ['0', '2', '3', '4']],
    // A run that goes on has the same places.
    ['4ba', { batches: 7, from: 3 }, ['4', '8', '10']],
    ['4ba', { batches: 2, from: 5, ended: 'interrupted' }, ['7']],
    // What failed is not saved: its state may be what failed.
    ['4ba', { batches: 6, ended: null }, ['0', '4']],
  ])('every %s', async (every, run, expected) => {
    expect(await names(every, run)).toEqual(expected);
  });

  test('the start may be left out', async () => {
    expect(await names('4ba', { batches: 5 }, { atStart: false })).toEqual(['4', '5']);
  });

  test('on demand, at the end of the running batch', async () => {
    await using store = new CheckpointStore(newFolder(), { retention: {} });
    const algorithm = checkpointing({ store, atStart: false });
    const asked: Promise<unknown>[] = [];
    const onBatch = (batch: number): void => {
      if (batch === 2) asked.push(algorithm.saveNow(), algorithm.saveNow());
    };
    await expect(algorithm.saveNow()).rejects.toThrow(
      /saveNow: expected a run of one process that is under way, got none/,
    );
    await play(algorithm, { batches: 4, onBatch });
    expect(await Promise.all(asked)).toMatchObject([{ name: 'ep0-ba2' }, { name: 'ep0-ba2' }]);
    expect((await store.list()).map(({ name }) => name)).toEqual(['ep0-ba2', 'ep0-ba4']);
  });

  test('other ranks take part in the snapshot and write nothing; none may be asked alone', async () => {
    await using store = new CheckpointStore(newFolder(), { retention: {} });
    const algorithm = checkpointing({ store, every: '2ba' });
    const onBatch = async (): Promise<void> => {
      await expect(algorithm.saveNow()).rejects.toThrow(/got one of 2 ranks - abort its signal/);
    };
    await play(algorithm, { batches: 4, world: { rank: 1, size: 2 }, onBatch });
    expect(await store.list()).toEqual([]);
  });
});

describe('the metrics of a checkpoint', () => {
  test('are those of its very state, also where the evaluation comes after the copy: the best is kept', async () => {
    await using store = new CheckpointStore(newFolder(), {
      retention: { best: { metric: 'validation.loss', mode: 'min' } },
    });
    const losses: Record<number, number> = { 2: 3, 4: 1, 6: 2, 8: 5 };
    await play(checkpointing({ store, every: '2ba' }), { batches: 9, evaluate: (batch) => losses[batch] ?? null });
    const kept = await store.list();
    expect(kept.map(({ name, manifest }) => [name, manifest?.metrics['validation.loss']])).toEqual([
      ['ep0-ba4', 1],
      ['ep1-ba9', undefined],
    ]);
    // The state is that of the batch, though it was written after its evaluation.
    using snapshot = readCheckpoint(kept[0]?.path ?? '');
    expect([snapshot.json['batch'], snapshot.tensors['model.w']?.item()]).toEqual([4, 4]);
  });

  test('a last state that was evaluated has its metrics without any rule', async () => {
    await using store = new CheckpointStore(newFolder());
    await play(checkpointing({ store, every: '2ba' }), { batches: 3, evaluate: (batch) => batch });
    expect((await store.latest()).checkpoint?.manifest.metrics).toEqual({
      'train.loss': 0,
      'validation.loss': 3,
      'gap.loss': 3,
    });
  });

  test('a metric that there is not ends the run at the first evaluation', async () => {
    await using store = new CheckpointStore(newFolder(), {
      retention: { best: { metric: 'validation.lss', mode: 'min' } },
    });
    await expect(play(checkpointing({ store }), { batches: 2, evaluate: () => 1 })).rejects.toThrow(
      /checkpointing: expected the metric "validation\.lss" .* got train\.loss, validation\.loss, gap\.loss, did you mean 'validation\.loss'\?/,
    );
  });
});

describe('a save that fails', () => {
  test('at the start ends the run before it costs anything', async () => {
    const folder = newFolder();
    writeFileSync(folder, 'a file');
    await using store = new CheckpointStore(folder);
    let batches = 0;
    const run = play(checkpointing({ store }), { batches: 3, onBatch: () => void batches++ });
    await expect(run).rejects.toThrow(/expected to write ep0-ba0 into/);
    expect(batches).toBe(0);
  });

  /** A folder that is gone between two batches, with a file in its place. */
  async function withOutage(
    onFailure: 'warn' | 'stop',
    until: number,
  ): Promise<{ batches: number; names: string[]; error: unknown }> {
    const folder = newFolder();
    await using store = new CheckpointStore(folder, { retention: {} });
    let batches = 0;
    const onBatch = async (batch: number): Promise<void> => {
      batches = batch;
      while (store.saving) await new Promise((resolve) => setTimeout(resolve, 1));
      if (batch === 3) {
        renameSync(folder, `${folder}-away`);
        writeFileSync(folder, '');
      }
      if (batch === until) {
        rmSync(folder);
        renameSync(`${folder}-away`, folder);
      }
    };
    const error: unknown = await play(checkpointing({ store, every: '2ba', onFailure }), { batches: 9, onBatch }).then(
      () => null,
      (reason: unknown) => reason,
    );
    const found = until <= 9 ? folder : `${folder}-away`;
    return { batches, names: readdirSync(found), error };
  }

  test('on the way is made up for by the next, or ends the run: as told', async () => {
    expect(await withOutage('warn', 7)).toEqual({
      batches: 9,
      names: ['ep0-ba0', 'ep0-ba2', 'ep1-ba8', 'ep1-ba9'],
      error: null,
    });
    const { batches, error } = await withOutage('stop', 20);
    expect(batches).toBe(5);
    expect(error).toBeInstanceOf(ShallowsError);
  });

  test('at the end is an error, and what was saved earlier is there', async () => {
    const { batches, names: left, error } = await withOutage('warn', 20);
    expect([batches, left]).toEqual([9, ['ep0-ba0', 'ep0-ba2']]);
    expect(String(error)).toMatch(/expected to write ep1-ba9 into/);
  });
});

describe('the time to stop', () => {
  test('a warning where a save cannot fit, again only where it got much worse', () => {
    const watch = new GraceWatch('checkpointing', '30sec');
    expect(watch.problem({ batchMs: 10_000, saveMs: 10_000 })).toBeNull();
    expect(watch.problem({ batchMs: 1000, saveMs: 20_000 })).toBe(
      'a stop may take 41 s (a batch 1.0 s, a save under way and its own 20 s each), longer than the grace period of 30 s: ' +
        'what came after the last checkpoint would then be lost - give the run 70 s (in Kubernetes: ' +
        'terminationGracePeriodSeconds) and say so here, or save to a faster disk',
    );
    expect(watch.problem({ batchMs: 1000, saveMs: 25_000 })).toBeNull();
    expect(watch.problem({ batchMs: 1000, saveMs: 45_000 })).toMatch(/a stop may take 91 s/);
  });

  test('the run is told with the first save', async () => {
    await using store = new CheckpointStore(newFolder());
    const warnings = await play(checkpointing({ store, grace: '0.001s' }), { batches: 1 });
    expect(warnings[0]).toMatch(/^checkpointing: a stop may take .* longer than the grace period of 0\.0 s/);
    expect(await play(checkpointing({ store, grace: null }), { batches: 1 })).toEqual([]);
  });
});

test.each<[string, Partial<CheckpointingOptions>, string]>([
  ['no interval', { every: '0ba' }, 'checkpointing: expected an interval above 0, got 0ba'],
  ['no time', { every: 'often' }, 'parseTime: expected a number and a unit'],
  ['a grace in batches', { grace: '3ba' }, 'checkpointing: expected a grace period on the clock, got 3ba'],
  [
    'another word',
    { onFailure: 'ignore' as 'warn' },
    "checkpointing: expected onFailure 'warn' or 'stop', got \"ignore\"",
  ],
])('%s is an error', (_, options, message) => {
  const store = new CheckpointStore(newFolder());
  expect(() => checkpointing({ store, ...options })).toThrow(ShallowsError);
  expect(() => checkpointing({ store, ...options })).toThrow(message);
});
