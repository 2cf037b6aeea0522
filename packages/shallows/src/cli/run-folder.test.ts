import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from './failure.js';
import { makeQuickstartFolder, makeRunFolder } from './run-folder.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-runs-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

async function folderWith(file: string): Promise<string> {
  const folder = await mkdtemp(join(root, 'with-'));
  await writeFile(join(folder, file), 'kept');
  return folder;
}

describe('makeRunFolder', () => {
  test('names a folder by recipe and time, and another for the same second', async () => {
    const now = new Date('2026-01-05T10:15:00Z');
    const first = await makeRunFolder(undefined, join(root, 'deep/runs'), 'net', now);
    const second = await makeRunFolder(undefined, join(root, 'deep/runs'), 'net', now);
    expect(first).toBe(join(root, 'deep/runs/net-20260105-101500'));
    expect(second).toBe(`${first}-2`);
    expect(await readdir(second)).toEqual([]);
  });

  test('takes a given folder that is new or empty', async () => {
    const folder = join(root, 'a/b');
    expect(await makeRunFolder(folder, 'unused', 'net')).toBe(folder);
    expect(await makeRunFolder(folder, 'unused', 'net')).toBe(folder);
  });

  test('never overwrites', async () => {
    const run = await folderWith('run.json');
    await expect(makeRunFolder(run, 'unused', 'net')).rejects.toThrow(
      `--run-dir: expected a new or empty folder, got one that holds a run (${run}) - give another folder with --run-dir, or move that one away`,
    );
    await expect(makeRunFolder(await folderWith('notes.txt'), 'unused', 'net')).rejects.toThrow(
      'got one that holds notes.txt',
    );
    await expect(makeRunFolder(join(run, 'run.json'), 'unused', 'net')).rejects.toThrow('got a file');
    await expect(makeRunFolder(join(run, 'run.json', 'x'), 'unused', 'net')).rejects.toThrow(UsageError);
    await expect(makeRunFolder(undefined, join(run, 'run.json'), 'net')).rejects.toThrow('got a file');
  });
});

describe('makeQuickstartFolder', () => {
  test('replaces what it made', async () => {
    const folder = await makeQuickstartFolder(join(root, 'quickstart'));
    await mkdir(join(folder, 'plain'));
    await writeFile(join(folder, 'plain/run.json'), '{}');
    await makeQuickstartFolder(folder);
    expect(await readdir(folder)).toEqual(['quickstart.json']);
  });

  test('leaves alone what it did not make', async () => {
    const folder = await folderWith('run.json');
    await expect(makeQuickstartFolder(folder)).rejects.toThrow(
      'the quickstart: expected a new or empty folder, got one that holds a run',
    );
    expect(await readdir(folder)).toEqual(['run.json']);
  });
});
