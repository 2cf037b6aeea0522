import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writePlain } from '../../../../../tests/support/plain-checkpoint.js';
import { type Call, type Fate, materialise, recordingDisk } from '../../../../../tests/support/power-loss.js';
import { deriveKey, rootKey, uniform } from '../../random/index.js';
import { verifyCheckpoint } from './inspect.js';
import { listCheckpoints, newestCheckpoint } from './list.js';
import { pruneFolder } from './prune.js';
import { completeRetention } from './retention.js';

const home = mkdtempSync(join(tmpdir(), 'shallows-power-'));
afterAll(() => rmSync(home, { recursive: true }));

/** Three saves, of which the last one stays; where each was finished, in calls. */
async function recorded(root: string): Promise<{ readonly calls: Call[]; readonly finished: number[] }> {
  const calls: Call[] = [];
  const disk = recordingDisk(calls);
  const finished: number[] = [];
  const retention = completeRetention('test', { last: 1 });
  for (let batch = 1; batch <= 3; batch++) {
    await writePlain(join(root, 'checkpoints'), batch, disk);
    finished.push(calls.length);
    pruneFolder(disk, { folder: join(root, 'checkpoints'), retention });
  }
  return { calls, finished };
}

const key = rootKey(42);
function random(at: number, trial: number): Fate {
  let drawn = 0;
  const next = (): number => uniform(deriveKey(key, at, trial), drawn++);
  return {
    name: () => next() < 0.5,
    content: (written, synced) => {
      const kind = next();
      if (kind < 0.25) return synced;
      if (kind < 0.5) return new Uint8Array(written.length);
      return written.subarray(0, Math.floor(next() * (written.length + 1)));
    },
  };
}
const nothingMore: Fate = { name: () => false, content: (_, synced) => synced };
const everything: Fate = { name: () => true, content: (written) => written };
const namesAlone: Fate = { name: () => true, content: (written) => new Uint8Array(written.length) };

test('whenever the power goes, and whatever of the unsynced is lost, the newest checkpoint is the last one saved or the one being saved', async () => {
  const root = join(home, 'recorded');
  const { calls, finished } = await recorded(root);
  expect(calls.length).toBeGreaterThan(90);
  let trials = 0;
  for (let at = 0; at <= calls.length; at++) {
    const saved = finished.filter((end) => end <= at).length;
    const fates = [nothingMore, everything, namesAlone, random(at, 0), random(at, 1), random(at, 2)];
    for (const [trial, fate] of fates.entries()) {
      const target = join(home, `after-${at}-${trial}`);
      materialise(root, calls.slice(0, at), target, fate);
      const { checkpoint } = newestCheckpoint(join(target, 'checkpoints'));
      const batch = checkpoint?.manifest.progress.batch ?? 0;
      expect(batch, `after ${at} calls, fate ${trial}`).toBeGreaterThanOrEqual(saved);
      expect(batch, `after ${at} calls, fate ${trial}`).toBeLessThanOrEqual(saved + 1);
      rmSync(target, { recursive: true, force: true });
      trials++;
    }
  }
  expect(trials).toBe(6 * (calls.length + 1));
});

test('when a process is killed between any two calls, what was seen is left: whole checkpoints alone', async () => {
  const root = join(home, 'killed');
  const { calls } = await recorded(root);
  for (let at = 0; at <= calls.length; at++) {
    const target = join(home, `killed-${at}`);
    materialise(root, calls.slice(0, at), target, everything);
    for (const { path } of listCheckpoints(join(target, 'checkpoints'))) expect(verifyCheckpoint(path)).toBeNull();
    rmSync(target, { recursive: true, force: true });
  }
});

test('whichever call fails, the error comes through, what was saved stays, and nothing is left over', async () => {
  const root = join(home, 'failing');
  const folder = join(root, 'checkpoints');
  const log: Call[] = [];
  mkdirSync(folder, { recursive: true });
  await writePlain(folder, 1, recordingDisk(log));
  const count = log.length;
  expect(count).toBeGreaterThan(20);
  for (let at = 0; at < count; at++) {
    let done = 0;
    const disk = recordingDisk([], ({ kind }) => {
      if (kind !== 'remove' && done++ === at)
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    });
    await expect(writePlain(folder, 2, disk), `call ${at}`).rejects.toThrow('ENOSPC');
    const { checkpoint, skipped } = newestCheckpoint(folder);
    expect(skipped).toEqual([]);
    // The very last call syncs a name that is given already.
    const last = at === count - 1;
    expect(checkpoint?.manifest.progress.batch).toBe(last ? 2 : 1);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  }
});
