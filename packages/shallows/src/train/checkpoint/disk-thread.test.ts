import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bringBuiltUpToDate } from '../../../../../tests/support/built.js';
import { plainJob } from '../../../../../tests/support/plain-checkpoint.js';
import { DiskThread, JobError } from './disk-thread.js';
import { verifyCheckpoint } from './inspect.js';

beforeAll(bringBuiltUpToDate);
const home = mkdtempSync(join(tmpdir(), 'shallows-thread-'));
afterAll(() => rmSync(home, { recursive: true }));

test('jobs are done one after the other, in order, and their buffers are taken over', async () => {
  const thread = new DiskThread();
  const bytes = new Uint8Array(1000);
  const contents = { ...plainJob(home, 1).contents, 'model.safetensors': [bytes] };
  const first = thread.run('write', { ...plainJob(home, 1), contents }, [bytes.buffer]);
  const [one, two, list] = await Promise.all([first, thread.run('write', plainJob(home, 2)), thread.run('list', home)]);
  expect([one.name, two.name]).toEqual(['ba1', 'ba2']);
  expect(list.map(({ name, manifest }) => [name, manifest?.sequence])).toEqual([
    ['ba1', 1],
    ['ba2', 2],
  ]);
  expect(bytes.length).toBe(0);
  await thread.close();
});

test('an error of a job comes with the code of the system, and the thread goes on', async () => {
  const thread = new DiskThread();
  const job = plainJob(join(home, 'ba1', 'COMPLETE', 'below a file'), 3);
  const error: unknown = await thread.run('write', job).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(JobError);
  expect(error).toMatchObject({ code: 'ENOTDIR', message: 'ENOTDIR: not a directory' });
  expect((await thread.run('newest', home)).checkpoint?.name).toBe('ba2');
  await thread.close();
});

test('a thread that is ended fails its job, leaves nothing half, and the next job starts another', async () => {
  const thread = new DiskThread();
  const folder = join(home, 'ended');
  const contents = {
    ...plainJob(folder, 1).contents,
    'model.safetensors': Array<Uint8Array<ArrayBuffer>>(64).fill(new Uint8Array(1 << 20)),
  };
  const written = thread.run('write', { ...plainJob(folder, 1), contents });
  const [outcome] = await Promise.allSettled([written, thread.close()]);
  if (outcome.status === 'rejected') expect(String(outcome.reason)).toMatch(/the thread that writes was ended/);
  const { name } = await thread.run('write', plainJob(folder, 2));
  expect(name).toBe('ba2');
  for (const { path } of await thread.run('list', folder)) expect(verifyCheckpoint(path)).toBeNull();
  await thread.close();
});

test('what cannot be sent fails at once', async () => {
  const thread = new DiskThread();
  const contents = { ...plainJob(home, 9).contents, 'state.json': [(() => 0) as unknown as Uint8Array<ArrayBuffer>] };
  await expect(thread.run('write', { ...plainJob(home, 9), contents })).rejects.toThrow(/could not be cloned/);
  await thread.close();
});
