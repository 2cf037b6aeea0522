import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rand, stats, tensor } from '@shallows/torch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { localDisk } from '../../files/index.js';
import { deriveKey, randint, rootKey } from '../../random/index.js';
import { copyContents } from './contents.js';
import { verifyCheckpoint } from './inspect.js';
import { newestCheckpoint } from './list.js';
import { readCheckpoint, readCheckpointModel } from './read.js';
import { writeFolder } from './write-folder.js';

const home = mkdtempSync(join(tmpdir(), 'shallows-corrupt-'));
afterAll(() => rmSync(home, { recursive: true }));
const folder = join(home, 'checkpoints');
const newest = join(folder, 'ba2');
const copy = join(home, 'copy');

beforeAll(async () => {
  const weight = rand([40, 30]);
  const flags = tensor([true, false, true]);
  for (const batch of [1, 2]) {
    await writeFolder(localDisk, {
      folder,
      name: `ba${batch}`,
      sequence: batch,
      facts: {
        progress: { epoch: 0, batch, sample: batch, elapsedMs: 1, fraction: 0.5 },
        metrics: { 'validation.loss': 1 },
      },
      contents: copyContents({
        tensors: { 'model.weight': weight, 'optimizer.0.momentum_buffer': weight, 'algorithm.x.flags': flags },
        json: { clock: { batch }, key: 'f'.repeat(32) },
      }),
    });
  }
  for (const each of [weight, flags]) each.dispose();
  cpSync(newest, copy, { recursive: true });
});

/** After what was done to the newest: it is not read, the one before it is taken, and why is said. */
function expectRefused(what: string, file: string): void {
  const live = stats().liveTensors;
  const why = verifyCheckpoint(newest);
  expect(why, what).toMatch(new RegExp(`^(${file}|manifest.json|COMPLETE): .`));
  const error = errorOf(() => readCheckpoint(newest));
  expect(error, what).toBeInstanceOf(ShallowsError);
  expect(String(error), what).toMatch(
    /readCheckpoint: expected a checkpoint as it was written at .*ba2, got .+ - take another/,
  );
  if (!file.startsWith('state'))
    expect(
      errorOf(() => readCheckpointModel(newest)),
      what,
    ).toBeInstanceOf(ShallowsError);
  const { checkpoint, skipped } = newestCheckpoint(folder);
  expect([checkpoint?.name, skipped], what).toEqual(['ba1', [{ path: newest, why }]]);
  expect(stats().liveTensors, what).toBe(live);
}

function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return null;
}

function restore(): void {
  rmSync(newest, { recursive: true, force: true });
  cpSync(copy, newest, { recursive: true });
}

test('it is a checkpoint before anything is done to it', () => {
  using snapshot = readCheckpoint(newest);
  expect(snapshot.json).toEqual({ clock: { batch: 2 }, key: 'f'.repeat(32) });
  expect(newestCheckpoint(folder)).toMatchObject({ checkpoint: { name: 'ba2' }, skipped: [] });
});

test('500 changed regions of random files, places and lengths: every one is noticed', () => {
  const key = rootKey(7);
  const files = readdirSync(copy);
  expect(files.length).toBe(5);
  for (let trial = 0; trial < 500; trial++) {
    const draw = (name: string, below: number): number => randint(deriveKey(key, name, trial), below);
    const file = files[trial % files.length] as string;
    const path = join(newest, file);
    const original = readFileSync(path);
    const changed = Buffer.from(original);
    const length = 1 + draw('length', trial % 3 === 0 ? 1 : Math.min(64, original.length));
    const start = draw('start', original.length - length + 1);
    for (let i = start; i < start + length; i++)
      changed[i] = (original[i] ?? 0) ^ (1 + randint(deriveKey(key, 'bytes', trial), 255, i));
    writeFileSync(path, changed);
    expectRefused(`${file}, ${length} bytes at ${start}`, file);
    writeFileSync(path, original);
  }
  expect(verifyCheckpoint(newest)).toBeNull();
});

test('every truncation of every file is noticed, and so is a byte too many', () => {
  for (const file of readdirSync(copy)) {
    const path = join(newest, file);
    const original = readFileSync(path);
    const lengths = Array.from({ length: original.length }, (_, i) => original.length - 1 - i);
    // Of the tensors every length near either end, and each 331st between.
    for (const length of lengths.filter((each, i) => i < 20 || each < 20 || each % 331 === 0)) {
      truncateSync(path, length);
      expectRefused(`${file} cut to ${length}`, file);
    }
    writeFileSync(path, Buffer.concat([original, Buffer.from([0])]));
    expectRefused(`${file} and a byte`, file);
    writeFileSync(path, original);
  }
});

test('missing files, folders in their place and files of another checkpoint are noticed', () => {
  for (const file of readdirSync(copy)) {
    rmSync(join(newest, file));
    expectRefused(`no ${file}`, file);
    cpSync(join(folder, 'ba1'), join(newest, file), { recursive: true });
    expectRefused(`a folder for ${file}`, file);
    restore();
  }
  cpSync(join(folder, 'ba1', 'state.json'), join(newest, 'state.json'));
  expectRefused('the state of another', 'state.json');
  restore();
  cpSync(join(folder, 'ba1', 'manifest.json'), join(newest, 'manifest.json'));
  expectRefused('the manifest of another', 'manifest.json');
  restore();
});

test('a manifest that its marker vouches for is still checked: versions, fields, digests of the wrong form', async () => {
  const { createHash } = await import('node:crypto');
  const text = readFileSync(join(copy, 'manifest.json'), 'utf8');
  const forged: readonly (readonly [string, string, RegExp])[] = [
    ['"schema": 1', '"schema": 2', /^manifest\.json: schema: expected 1, the version that is read here/],
    ['"sequence": 2', '"sequence": -2', /^manifest\.json: sequence: /],
    ['"state.json": {', '"other.json": {', /^manifest\.json: files\.state\.json: /],
    [
      /"sha256": "\w{10}/.exec(text)?.[0] ?? '',
      '"sha256": "../x',
      /^manifest\.json: files\.model\.safetensors\.sha256: /,
    ],
    ['{', '[', /^manifest\.json: .*JSON/],
  ];
  for (const [from, to, message] of forged) {
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    writeFileSync(join(newest, 'manifest.json'), changed);
    writeFileSync(
      join(newest, 'COMPLETE'),
      `sha256:${createHash('sha256').update(changed).digest('hex')}  manifest.json\n`,
    );
    expect(verifyCheckpoint(newest)).toMatch(message);
    expectRefused(to, 'manifest.json');
  }
  restore();
});
