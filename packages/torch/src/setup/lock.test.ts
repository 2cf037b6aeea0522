import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shallows-lock-'));
  path = join(folder, 'deep', 'setup.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const silent = (): void => undefined;

test('one at a time, each in the end, and the file goes', async () => {
  let inside = 0;
  let most = 0;
  const lines: string[] = [];
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await sleep(30);
    inside--;
  };
  await Promise.all([1, 2, 3].map(() => withLock(path, (line) => lines.push(line), work)));
  expect([most, inside, existsSync(path)]).toEqual([1, 0, false]);
  expect(lines[0]).toBe(`waiting for another set-up to end (process ${process.pid} on ${hostname()})`);
});

test('a failure frees it', async () => {
  await expect(withLock(path, silent, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await withLock(path, silent, () => Promise.resolve(7))).toBe(7);
});

test('the lock of a process that is gone, or that went silent, holds nobody up', async () => {
  await withLock(path, silent, () => Promise.resolve());
  const { pid } = spawnSync(process.execPath, ['-e', '0']);
  writeFileSync(path, `process ${pid} on ${hostname()}`);
  expect(await withLock(path, silent, () => Promise.resolve('after the dead'))).toBe('after the dead');

  writeFileSync(path, 'process 1 on elsewhere');
  utimesSync(path, new Date(), new Date(Date.now() - 60_000));
  expect(await withLock(path, silent, () => Promise.resolve('after the silent'))).toBe('after the silent');
});

test('the lock of a process that lives is waited for', async () => {
  await withLock(path, silent, () => Promise.resolve());
  writeFileSync(path, `process ${process.ppid} on ${hostname()}`);
  let done = false;
  const waiting = withLock(path, silent, () => Promise.resolve().then(() => (done = true)));
  await sleep(300);
  expect(done).toBe(false);
  expect(readFileSync(path, 'utf8')).toContain(String(process.ppid));
  rmSync(path);
  await waiting;
  expect(done).toBe(true);
});
