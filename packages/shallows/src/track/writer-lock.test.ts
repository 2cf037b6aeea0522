import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { thisProcess } from '../files/index.js';
import { isLocked, lockWriter } from './writer-lock.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-lock-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const dead = (): number => spawnSync(process.execPath, ['-e', '']).pid;
const lockOf = (more: object): string => JSON.stringify({ ...thisProcess(), host: hostname(), nonce: 'old', ...more });

describe('lockWriter', () => {
  test('takes over from the dead, and from nobody else', async () => {
    const path = join(root, 'lock');
    await writeFile(path, lockOf({ pid: dead() }));
    expect(isLocked(path)).toBe(false);
    const lock = lockWriter(path);
    expect(isLocked(path)).toBe(true);
    expect(() => lockWriter(path)).toThrow(
      `expected a run folder that nobody writes to, got one that process ${String(process.pid)} on ${hostname()} writes to`,
    );
    lock[Symbol.dispose]();
    lock[Symbol.dispose]();
    expect(existsSync(path)).toBe(false);
    expect(isLocked(path)).toBe(false);
    // Torn by a crash.
    await writeFile(path, '{"pid": ');
    lockWriter(path)[Symbol.dispose]();
    expect((await readdir(root)).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  test('takes over from an earlier process of the same number', async () => {
    const path = join(root, 'reborn');
    if (thisProcess().started === 0) return;
    await writeFile(path, lockOf({ started: thisProcess().started - 1 }));
    lockWriter(path)[Symbol.dispose]();
  });

  test('respects another machine while it touches its lock', async () => {
    const path = join(root, 'far');
    await writeFile(path, lockOf({ pid: 1, host: 'another-machine', machine: 'ffffffff' }));
    expect(() => lockWriter(path)).toThrow('process 1 on another-machine');
    expect(isLocked(path)).toBe(true);
    const soon = (Date.now() - 170_000) / 1000;
    await utimes(path, soon, soon);
    expect(() => lockWriter(path)).toThrow('on another-machine');
    const late = (Date.now() - 190_000) / 1000;
    await utimes(path, late, late);
    expect(isLocked(path)).toBe(false);
    lockWriter(path)[Symbol.dispose]();
  });

  test('touches its own', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const path = join(root, 'beating');
      const lock = lockWriter(path);
      await utimes(path, 1, 1);
      vi.advanceTimersByTime(15_000);
      expect((await stat(path)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
      await writeFile(path, lockOf({ nonce: 'theirs' }));
      await utimes(path, 1, 1);
      vi.advanceTimersByTime(15_000);
      expect((await stat(path)).mtimeMs).toBe(1000);
      await rm(path);
      vi.advanceTimersByTime(15_000);
      lock[Symbol.dispose]();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('does not delete the lock of its successor', async () => {
    const path = join(root, 'succession');
    const lock = lockWriter(path);
    const theirs = lockOf({ nonce: 'theirs' });
    await writeFile(path, theirs);
    lock[Symbol.dispose]();
    expect(await readFile(path, 'utf8')).toBe(theirs);
    await rm(path);
    await mkdir(path);
    expect(() => lockWriter(path)).toThrow('got what cannot be read');
  });
});
