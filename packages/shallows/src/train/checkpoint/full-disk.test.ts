import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Tensor, zeros } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bringBuiltUpToDate } from '../../../../../tests/support/built.js';
import type { Progress } from '../events.js';
import { verifyCheckpoint } from './inspect.js';
import { resumeFrom } from './resume.js';
import { CheckpointStore } from './store.js';

const home = mkdtempSync(join(tmpdir(), 'shallows-full-'));
const disk = join(home, 'disk');
mkdirSync(disk);
const run = (...command: readonly [string, ...string[]]): boolean =>
  spawnSync(command[0], command.slice(1)).status === 0;
// A disk of 2 MB: root may make one, others may not, and see these tests skipped.
const mounted = process.platform === 'linux' && run('mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk);

beforeAll(bringBuiltUpToDate);
afterAll(() => {
  if (mounted) run('umount', disk);
  rmSync(home, { recursive: true });
});

const at = (batch: number): Progress => ({ epoch: 0, batch, sample: batch, elapsedMs: batch, fraction: 0 });
const weights: Tensor[] = [];
afterAll(() => {
  for (const each of weights) each.dispose();
});
function sized(bytes: number) {
  const weight = zeros([bytes / 4]);
  weights.push(weight);
  return { tensors: { 'model.w': weight }, json: {} };
}

describe.skipIf(!mounted)('a disk that may be made and filled (needs the right to mount)', () => {
  test('a full disk: the save says so, what was saved is as it was, nothing is left over, and saving goes on once there is space', async () => {
    await using store = new CheckpointStore(join(disk, 'checkpoints'), { retention: { last: 1 } });
    await store.save(sized(500_000), { progress: at(1) });
    await expect(store.save(sized(1_800_000), { progress: at(2) })).rejects.toThrow(
      /expected to write ep0-ba2 into .*, got ENOSPC: no space left on device - free space there, keep fewer checkpoints, or save to another disk; earlier checkpoints are as they were/,
    );
    expect(readdirSync(store.folder)).toEqual(['ep0-ba1']);
    expect(verifyCheckpoint(join(store.folder, 'ep0-ba1'))).toBeNull();
    void store.save(sized(1_800_000), { progress: at(3) });
    await expect(store.wait()).rejects.toThrow(/ENOSPC/);
    await store.save(sized(500_000), { progress: at(4) });
    await store.wait();
    expect(readdirSync(store.folder)).toEqual(['ep0-ba4']);
  });

  test('a disk that is full to the last byte when the store is opened, of what a dead writer left: it is cleared first', async () => {
    const folder = join(disk, 'checkpoints');
    const left = join(folder, deadName());
    mkdirSync(left);
    expect(run('dd', 'if=/dev/zero', `of=${join(left, 'model.safetensors')}`, 'bs=4k')).toBe(false);
    await using store = new CheckpointStore(folder, { retention: { last: 1 } });
    await store.save(sized(500_000), { progress: at(5) });
    await store.wait();
    expect(readdirSync(folder)).toEqual(['ep0-ba5']);
  });

  test('a disk that became read-only: the save says so, and the run resumes from what is there', async () => {
    const folder = join(disk, 'checkpoints');
    await using store = new CheckpointStore(folder);
    await store.wait();
    expect(run('mount', '-o', 'remount,ro', disk)).toBe(true);
    try {
      await expect(store.save(sized(4), { progress: at(6) })).rejects.toThrow(
        /got EROFS: read-only file system - the disk is mounted for reading only: save to another folder/,
      );
      const { from, snapshot, skipped } = resumeFrom('auto', { folder });
      expect([from?.manifest.progress.batch, skipped]).toEqual([5, []]);
      snapshot?.[Symbol.dispose]();
    } finally {
      run('mount', '-o', 'remount,rw', disk);
    }
    expect((await store.save(sized(4), { progress: at(7) })).name).toBe('ep0-ba7');
  });
});

/** The name of a folder that a process was writing which has ended. */
function deadName(): string {
  const program = `import { temporaryName } from ${JSON.stringify(new URL('../../../dist/train/checkpoint/temporary.js', import.meta.url).href)}; console.log(temporaryName('saving'))`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).stdout.trim();
}
