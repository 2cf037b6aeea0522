import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bringBuiltUpToDate } from '../../../../../tests/support/built.js';
import { plainJob } from '../../../../../tests/support/plain-checkpoint.js';
import { type Disk, localDisk } from '../../files/index.js';
import { HashThread } from './hash-thread.js';
import { verifyCheckpoint } from './inspect.js';
import { writeFolder } from './write-folder.js';

beforeAll(bringBuiltUpToDate);
const home = mkdtempSync(join(tmpdir(), 'shallows-write-'));
afterAll(() => rmSync(home, { recursive: true }));

/** Pieces with buffers of their own. */
function pieces(megabytes: number, seed: number): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: megabytes }, (_, i) => new Uint8Array(1 << 20).fill(seed + i));
}
const sizeOf = (list: readonly Uint8Array[]): number => list.reduce((sum, { length }) => sum + length, 0);

test('a hash thread gives the digest and takes the buffers; what it cannot hash fails, and it goes on', async () => {
  const thread = new HashThread();
  const [a, b] = [pieces(3, 1), pieces(2, 9)];
  const expected = [a, b].map((each) => createHash('sha256').update(Buffer.concat(each)).digest('hex'));
  expect(await Promise.all([thread.digest(a), thread.digest(b)])).toEqual(expected);
  expect([sizeOf(a), sizeOf(b)]).toEqual([0, 0]);
  const wrong = [{ buffer: new ArrayBuffer(1) }] as unknown as Uint8Array<ArrayBuffer>[];
  await expect(thread.digest(wrong)).rejects.toThrow(/"data" argument must be/);
  expect(await thread.digest(pieces(3, 1))).toBe(expected[0]);
});

test.each([
  ['model', 9, 1],
  ['state', 1, 9],
  ['nothing', 1, 2],
])('%s is hashed elsewhere where the model has %i MB and the state %i', async (elsewhere, model, state) => {
  const folder = join(home, elsewhere);
  const job = plainJob(folder, 1);
  const contents = {
    ...job.contents,
    'model.safetensors': pieces(model, 1),
    'state.safetensors': pieces(state, 2),
  };
  const expected = createHash('sha256').update(Buffer.concat(contents['state.safetensors'])).digest('hex');
  const { path } = await writeFolder(localDisk, { ...job, contents }, new HashThread());
  expect(verifyCheckpoint(path)).toBeNull();
  const { files } = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'));
  expect(files['state.safetensors']).toEqual({ bytes: state << 20, sha256: expected });
  expect(files['model.safetensors'].bytes).toBe(model << 20);
  const taken = [sizeOf(contents['model.safetensors']) === 0, sizeOf(contents['state.safetensors']) === 0];
  expect(taken).toEqual([elsewhere === 'model', elsewhere === 'state']);
});

test('where the hash thread fails, so does the save, after its syncs, and nothing is left over', async () => {
  const folder = join(home, 'failing');
  const calls: string[] = [];
  const disk: Disk = {
    ...localDisk,
    startSync: async (file) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      calls.push(`synced ${file}`);
    },
    close: (file) => {
      calls.push(`closed ${file}`);
      localDisk.close(file);
    },
  };
  const job = plainJob(folder, 1);
  const contents = { ...job.contents, 'model.safetensors': pieces(9, 1) };
  const hashing = { digest: () => Promise.reject(new Error('the thread that hashes was ended')) };
  await expect(writeFolder(disk, { ...job, contents }, hashing)).rejects.toThrow('the thread that hashes was ended');
  expect(readdirSync(folder)).toEqual([]);
  const closed = calls.filter((call) => call.startsWith('closed'));
  expect(closed).toHaveLength(3);
  for (const call of closed) {
    const synced = calls.indexOf(call.replace('closed', 'synced'));
    expect(synced).toBeGreaterThanOrEqual(0);
    expect(calls.indexOf(call)).toBeGreaterThan(synced);
  }
});
