import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { codeOf, localDisk } from './disk.js';

const home = mkdtempSync(join(tmpdir(), 'shallows-disk-'));
afterAll(() => rmSync(home, { recursive: true }));
const at = (name: string): string => join(home, name);

test('files are new, folders may be there already, names of nothing are none', async () => {
  for (const path of ['a', 'a/b', 'a/b']) localDisk.makeFolder(at(path));
  const file = localDisk.create(at('a/b/x'));
  localDisk.write(file, Buffer.from('one '));
  localDisk.write(file, Buffer.from('two'));
  localDisk.sync(file);
  await localDisk.startSync(file);
  localDisk.close(file);
  localDisk.syncFolder(at('a/b'));
  expect(readFileSync(at('a/b/x'), 'utf8')).toBe('one two');
  expect(() => localDisk.create(at('a/b/x'))).toThrow(/EEXIST/);
  expect(() => localDisk.makeFolder(at('a/b/x'))).toThrow(/EEXIST/);
  expect([localDisk.names(at('a')), localDisk.names(at('none')), localDisk.names(at('a/b/x'))]).toEqual([
    ['b'],
    [],
    [],
  ]);
  expect(localDisk.changedAt(at('none'))).toBeNull();
  expect(localDisk.changedAt(at('a'))).toBeGreaterThan(0);
});

test('a folder that holds something is never replaced, and removing what is not there is fine', () => {
  localDisk.makeFolder(at('new'));
  localDisk.makeFolder(at('old'));
  writeFileSync(at('old/x'), '');
  expect(() => localDisk.rename(at('new'), at('old'))).toThrow(/ENOTEMPTY|EEXIST|EPERM/);
  localDisk.remove(at('old'));
  localDisk.remove(at('old'));
  expect(existsSync(at('old'))).toBe(false);
});

test('a folder that is not there cannot be synced', () => {
  expect(() => localDisk.syncFolder(at('none'))).toThrow(/ENOENT/);
  expect(codeOf(new Error('plain'))).toBe('');
});
