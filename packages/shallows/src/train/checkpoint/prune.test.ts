import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { writePlain } from '../../../../../tests/support/plain-checkpoint.js';
import { localDisk, thisProcess } from '../../files/index.js';
import { holdCheckpoint } from './hold.js';
import { pruneFolder } from './prune.js';
import { completeRetention } from './retention.js';
import { temporaryName } from './temporary.js';

const home = mkdtempSync(join(tmpdir(), 'shallows-prune-'));
afterAll(() => rmSync(home, { recursive: true }));
let folder = '';
let folders = 0;
beforeEach(async () => {
  folder = join(home, String(++folders));
  for (const batch of [1, 2, 3, 4]) await writePlain(folder, batch);
});
const prune = (last: number | null) =>
  pruneFolder(localDisk, { folder, retention: last === null ? null : completeRetention('test', { last }) });
const damage = (name: string): void => writeFileSync(join(folder, name, 'state.safetensors'), 'damaged');

test('what no rule keeps goes, the oldest first', () => {
  expect(prune(2)).toEqual({ removed: ['ba1', 'ba2'], problems: [] });
  expect(readdirSync(folder)).toEqual(['ba3', 'ba4']);
  expect(prune(2)).toEqual({ removed: [], problems: [] });
});

test('where the newest does not verify, the newest that does stays too', () => {
  damage('ba4');
  damage('ba3');
  expect(prune(1)).toEqual({ removed: ['ba1', 'ba3'], problems: [] });
  expect(readdirSync(folder)).toEqual(['ba2', 'ba4']);
});

test('where none verifies all stay, and it is said', () => {
  for (const name of ['ba1', 'ba2', 'ba3', 'ba4']) damage(name);
  expect(prune(1)).toEqual({ removed: [], problems: [`${folder}: no checkpoint verifies, so all are kept`] });
  expect(readdirSync(folder).length).toBe(4);
});

test('what is held stays, and what a dead reader held does not', () => {
  {
    using _ = holdCheckpoint(join(folder, 'ba1'));
    expect(prune(1).removed).toEqual(['ba2', 'ba3']);
  }
  const { machine, pid } = deadProcess();
  writeFileSync(join(folder, `.reading.${machine}.${pid}.1.${'0'.repeat(12)}.ba1`), '');
  expect(prune(1).removed).toEqual(['ba1']);
  expect(readdirSync(folder)).toEqual(['ba4']);
});

test('what dead writers left over goes, what a living one is at stays', () => {
  const { machine, pid } = deadProcess();
  const own = thisProcess();
  const made = {
    dead: `.saving.${machine}.${pid}.1.aaaaaaaaaaaa`,
    deletedByDead: `.removing.${machine}.${pid}.1.bbbbbbbbbbbb`,
    living: temporaryName('saving'),
    // The same number, but of a process that ended before this one began: as after the restart of a container.
    earlier: `.saving.${machine}.${own.pid}.${own.started - 1}.cccccccccccc`,
    elsewhere: `.saving.00000000.1.1.dddddddddddd`,
    elsewhereLongAgo: `.saving.00000000.1.1.eeeeeeeeeeee`,
    foreign: '.nfs000000',
  };
  for (const name of Object.values(made)) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'model.safetensors'), 'half');
  }
  const before = new Date(Date.now() - 2 * 60 * 60 * 1000);
  for (const path of ['model.safetensors', '']) utimesSync(join(folder, made.elsewhereLongAgo, path), before, before);
  prune(null);
  const stays = [made.living, made.elsewhere, made.foreign, ...(own.started > 0 ? [] : [made.earlier])];
  expect(
    readdirSync(folder)
      .filter((name) => name.startsWith('.'))
      .sort(),
  ).toEqual(stays.sort());
});

test('what cannot be deleted is reported, and the rest goes', () => {
  const disk = {
    ...localDisk,
    rename: (from: string, to: string) => {
      if (from.endsWith('ba1'))
        throw Object.assign(new Error("EBUSY: resource busy, rename 'x' -> 'y'"), { code: 'EBUSY' });
      localDisk.rename(from, to);
    },
  };
  const done = pruneFolder(disk, { folder, retention: completeRetention('test', { last: 1 }) });
  expect(done).toEqual({ removed: ['ba2', 'ba3'], problems: ['ba1: EBUSY: resource busy'] });
  expect(existsSync(join(folder, 'ba1', 'COMPLETE'))).toBe(true);
});

function deadProcess(): { readonly machine: string; readonly pid: number } {
  const { pid } = spawnSync(process.execPath, ['-e', '0']);
  return { machine: thisProcess().machine, pid };
}
