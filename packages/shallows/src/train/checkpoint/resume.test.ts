import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stats, tensor } from '@shallows/torch';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { settledTensors } from '../../../../../tests/support/settled-tensors.js';
import { ShallowsError } from '../../errors.js';
import { localDisk } from '../../files/index.js';
import { copyContents } from './contents.js';
import { resumeFrom } from './resume.js';
import { writeFolder } from './write-folder.js';

const home = mkdtempSync(join(tmpdir(), 'shallows-resume-'));
afterAll(() => rmSync(home, { recursive: true }));
let run = '';
let folder = '';
let runs = 0;

beforeEach(async () => {
  run = join(home, String(++runs));
  folder = join(run, 'checkpoints');
  using weight = tensor([1, 2]);
  for (const batch of [10, 20, 30]) {
    await writeFolder(localDisk, {
      folder,
      name: `ba${batch}`,
      sequence: batch,
      facts: { progress: { epoch: 1, batch, sample: batch, elapsedMs: 1, fraction: 0 }, metrics: {} },
      contents: copyContents({ tensors: { 'model.w': weight }, json: { batch } }),
    });
  }
});

const damage = (batch: number): void => writeFileSync(join(folder, `ba${batch}`, 'model.safetensors'), 'x');

test('auto takes the newest', () => {
  const { from, snapshot, skipped, messages } = resumeFrom('auto', { folder });
  using loaded = snapshot;
  expect(from?.path).toBe(join(folder, 'ba30'));
  expect(loaded?.json).toEqual({ batch: 30 });
  expect(loaded?.tensors['model.w']?.toArray()).toEqual(Float32Array.of(1, 2));
  expect(skipped).toEqual([]);
  expect(messages).toEqual([
    `Resuming from ${from?.path}, saved ${from?.manifest.savedAt}: 30 batches done, 1 whole epochs.`,
  ]);
});

test('auto says which it skipped, and why: damaged ones, half copies, and what is no checkpoint', () => {
  damage(30);
  rmSync(join(folder, 'ba20', 'COMPLETE'));
  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'notes.txt'), 'a file is nothing to resume from');
  const { from, snapshot, skipped, messages } = resumeFrom('auto', { folder });
  snapshot?.[Symbol.dispose]();
  expect(from?.path).toBe(join(folder, 'ba10'));
  const incomplete = 'COMPLETE: missing, so it was not written to the end';
  expect(skipped).toEqual([
    { path: join(folder, 'ba30'), why: expect.stringMatching(/^model\.safetensors: expected \d+ bytes, got 1$/) },
    { path: join(folder, 'empty'), why: incomplete },
    { path: join(folder, 'ba20'), why: incomplete },
  ]);
  expect(messages.slice(0, 3)).toEqual(skipped.map(({ path, why }) => `Skipped ${path}: ${why}.`));
});

test('auto starts from the beginning where there is nothing, and never where there is something broken', () => {
  const empty = join(run, 'none');
  expect(resumeFrom('auto', { folder: empty })).toEqual({
    from: null,
    snapshot: null,
    skipped: [],
    messages: [`No checkpoint in ${empty}: starting from the beginning.`],
  });
  for (const batch of [10, 20, 30]) damage(batch);
  expect(() => resumeFrom('auto', { folder })).toThrow(ShallowsError);
  expect(() => resumeFrom('auto', { folder })).toThrow(
    /expected a checkpoint that verifies in .*, got 3 that do not:\n {2}.*ba30: model\.safetensors: /,
  );
});

test('a path may be a checkpoint, a folder of checkpoints, or a run', () => {
  const taken = (path: string): string | undefined => {
    const { from, snapshot } = resumeFrom(path, { folder: join(run, 'other') });
    snapshot?.[Symbol.dispose]();
    return from?.path;
  };
  expect(taken(join(folder, 'ba10'))).toBe(join(folder, 'ba10'));
  expect(taken(folder)).toBe(join(folder, 'ba30'));
  expect(taken(run)).toBe(join(folder, 'ba30'));
  // A copy under another name is as good.
  cpSync(join(folder, 'ba20'), join(run, 'kept'), { recursive: true });
  expect(taken(join(run, 'kept'))).toBe(join(run, 'kept'));
});

test('a path that was asked for is taken or refused, never replaced', () => {
  damage(30);
  expect(() => resumeFrom(join(folder, 'ba30'), { folder })).toThrow(
    /^readCheckpoint: expected a checkpoint as it was written at .*ba30, got model\.safetensors: .* - take another; resuming from 'auto' takes the newest that verifies/,
  );
  expect(() => resumeFrom(join(run, 'nowhere'), { folder })).toThrow(
    /expected a checkpoint, or a folder with checkpoints, at .*nowhere, got none/,
  );
  expect(() => resumeFrom('', { folder })).toThrow(/expected 'auto' or a path, got ""/);
});

test('what is as it was written, but cannot be read, is an error: nothing older is taken', async () => {
  const contents = { ...copyContents({ tensors: {}, json: {} }), 'state.safetensors': [Buffer.from('no tensors')] };
  const facts = { progress: { epoch: 1, batch: 40, sample: 40, elapsedMs: 1, fraction: 0 }, metrics: {} };
  await writeFolder(localDisk, { folder, name: 'ba40', sequence: 40, facts, contents });
  const live = await settledTensors();
  expect(() => resumeFrom('auto', { folder })).toThrow(/readCheckpoint: .*ba40, got state\.safetensors: /);
  expect(stats().liveTensors).toBe(live);
});
