import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bringBuiltUpToDate, builtModule } from '../../../../../tests/support/built.js';
import { localDisk } from '../../files/index.js';
import { deriveKey, randint, rootKey } from '../../random/index.js';
import { newestCheckpoint } from './list.js';
import { pruneFolder } from './prune.js';
import { completeRetention } from './retention.js';

beforeAll(bringBuiltUpToDate);
const home = mkdtempSync(join(tmpdir(), 'shallows-kills-'));
afterAll(() => rmSync(home, { recursive: true }));

// Saves without pause, as the thread of a store does, and says which save it is at before and after each.
const program = `
const { jobs } = await import(${JSON.stringify(builtModule('train/checkpoint/jobs.js'))});
const folder = process.argv[1];
const last = jobs.newest(folder).checkpoint?.manifest.progress.batch ?? 0;
const pieces = [Buffer.alloc(200_000, 1), Buffer.alloc(200_000, 2)];
process.send({ found: last });
for (let batch = last + 1; ; batch++) {
  process.send({ begun: batch });
  await jobs.write({
    folder, name: 'ba' + batch,
    facts: { progress: { epoch: 0, batch, sample: batch, elapsedMs: 1, fraction: 0 }, metrics: {} },
    contents: { 'model.safetensors': pieces, 'state.safetensors': pieces, 'state.json': [Buffer.from('{}')] },
  });
  process.send({ saved: batch });
  jobs.prune({ folder, retention: { last: 2, best: null, every: null } });
}`;

interface Said {
  found: number;
  begun: number;
  saved: number;
}

/** Starts a writer and kills it so many milliseconds after its first save has begun. */
async function killedAfter(folder: string, delayMs: number): Promise<Said> {
  const said: Said = { found: -1, begun: -1, saved: -1 };
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program, folder], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const begun = new Promise<void>((resolve) => {
    child.on('message', (message: Partial<Said>) => {
      Object.assign(said, message);
      if (message.begun !== undefined) resolve();
    });
  });
  const ended = once(child, 'close');
  await Promise.race([begun, ended]);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  return said;
}

test('a writer that is killed at 100 random moments of its saves leaves the last one it finished, or the one it was at', async () => {
  const key = rootKey(11);
  let inside = 0;
  let finished = 0;
  const trial = async (folder: string, lane: number, count: number): Promise<void> => {
    let newest = 0;
    const seen = new Set<string>();
    for (let i = 0; i < count; i++) {
      const { found, begun, saved } = await killedAfter(folder, randint(deriveKey(key, lane, i), 24));
      expect(found).toBe(newest);
      const { checkpoint, skipped } = newestCheckpoint(folder);
      const left = checkpoint?.manifest.progress.batch ?? 0;
      expect(skipped).toEqual([]);
      // What it said last may have been lost with it: one save more may have begun.
      expect(left).toBeGreaterThanOrEqual(Math.max(found, saved));
      expect(left).toBeLessThanOrEqual(begun + 1);
      const half = localDisk.names(folder).filter((name) => name.startsWith('.saving') && !seen.has(name));
      if (half.length > 0) inside++;
      for (const name of half) seen.add(name);
      newest = left;
    }
    // Whatever the kills left over, the next to clear it up clears all.
    pruneFolder(localDisk, { folder, retention: completeRetention('test', { last: 2 }) });
    const last = [newest - 1, newest].filter((batch) => batch > 0).map((batch) => `ba${batch}`);
    expect(localDisk.names(folder).sort()).toEqual(last.sort());
    finished += newest;
  };
  await Promise.all([trial(join(home, 'a'), 0, 50), trial(join(home, 'b'), 1, 50)]);
  // That this many kills hit a save, and that saves go on at all, is what makes the test one.
  expect(finished, 'saves that were finished').toBeGreaterThan(0);
  expect(inside, 'kills inside of a save').toBeGreaterThan(10);
});
