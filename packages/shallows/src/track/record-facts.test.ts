import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describedSet } from '../../../../tests/support/run-start.js';
import { findContainer } from './container.js';
import { dataRecord } from './data-record.js';
import { differences, flatten } from './differences.js';
import { gitState } from './git-state.js';
import { askForGpus, readGpus } from './gpus.js';
import { lockfileDigest } from './lockfile.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-facts-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

describe('what a run is told from', () => {
  const git = (folder: string, ...args: string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=n', '-c', 'user.email=e@example.org', '-c', 'commit.gpgsign=false', ...args],
      { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );

  test('the commit, and whether files differ from it', async () => {
    const folder = await mkdtemp(join(root, "git '$(touch pwned)' "));
    expect(await gitState(folder)).toBeNull();
    git(folder, 'init');
    expect(await gitState(folder)).toBeNull();
    await writeFile(join(folder, 'a'), 'one');
    git(folder, 'add', '.');
    git(folder, 'commit', '-m', 'first');
    const clean = await gitState(folder);
    expect(clean).toEqual({ commit: git(folder, 'rev-parse', 'HEAD').trim(), dirty: null });
    await writeFile(join(folder, 'a'), 'two');
    const two = await gitState(folder);
    await writeFile(join(folder, 'a'), 'three');
    const three = await gitState(folder);
    git(folder, 'add', '.');
    expect(await gitState(folder)).toEqual(three);
    await writeFile(join(folder, 'b'), '');
    const added = await gitState(folder);
    const digests = [two, three, added].map((state) => state?.dirty);
    expect(new Set(digests).size).toBe(3);
    for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await readdir(folder)).not.toContain('pwned');
  });

  test('nothing a repository configures is run, and slow answers are not awaited', async () => {
    const folder = await mkdtemp(join(root, 'trap-'));
    const trap = join(folder, 'trap.sh');
    await writeFile(trap, `#!/bin/sh\ntouch ${folder}/sprung\n`);
    await chmod(trap, 0o755);
    git(folder, 'init');
    await writeFile(join(folder, '.gitattributes'), '* diff=trap\n');
    git(folder, 'add', '.gitattributes');
    git(folder, 'commit', '-m', 'first');
    git(folder, 'config', 'core.fsmonitor', trap);
    git(folder, 'config', 'diff.external', trap);
    git(folder, 'config', 'diff.trap.textconv', trap);
    await writeFile(join(folder, '.gitattributes'), '* diff=trap\n# more\n');
    expect((await gitState(folder))?.dirty).toMatch(/^[0-9a-f]{64}$/);
    expect(existsSync(join(folder, 'sprung'))).toBe(false);
    expect(await gitState(folder, { limitMs: 0 })).toBeNull();
  });

  test('the nearest lock file', async () => {
    const inner = join(root, 'pkg/src/deep');
    await mkdir(inner, { recursive: true });
    await writeFile(join(root, 'pkg/yarn.lock'), 'abc');
    expect(await lockfileDigest(inner)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    await writeFile(join(root, 'pkg/src/package-lock.json'), '{}');
    expect(await lockfileDigest(inner)).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });

  test('the data', () => {
    const [train, validation] = [describedSet('toy', 'a'), describedSet('toy', 'b')];
    const one = dataRecord({ train, validation });
    expect(one).toMatchObject({ name: 'toy', sets: { train: 'a', validation: 'b' }, splitDigest: null });
    const named = { train: { ...train, name: 'toy/train' }, validation: { ...validation, name: 'toy/validation' } };
    expect(dataRecord(named)).toEqual(one);
    expect(dataRecord({ train: validation, validation: train }).digest).not.toBe(one.digest);
    const split = (share: number) => dataRecord({ train, validation, split: { by: 'hash', share } }).splitDigest;
    expect(split(0.1)).toMatch(/^[0-9a-f]{64}$/);
    expect(split(0.1)).not.toBe(split(0.2));
    const numbers = {
      ...train,
      task: 'regression',
      classes: null,
      classCounts: null,
      segmentCounts: { a: 4 },
    } as const;
    expect(dataRecord({ train: numbers, validation: numbers })).toMatchObject({
      task: 'regression',
      classes: null,
      classCounts: { train: null, validation: null },
      segmentCounts: { train: { a: 4 }, validation: { a: 4 } },
    });
  });

  test('the container, from whatever says it', async () => {
    const id = '0123456789abcdef'.repeat(4);
    const files = (told: Record<string, string>) => async (path: string) => told[path] ?? null;
    const cgroup = '/proc/self/cgroup';
    const found = (told: Record<string, string>, env = {}) => findContainer({ env, read: files(told) });
    expect(await found({ [cgroup]: '0::/\n' })).toBeNull();
    expect(await found({})).toBeNull();
    for (const line of [
      `12:pids:/docker/${id}`,
      `11:memory:/kubepods/burstable/pod1b2c-4d/${id}`,
      `0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope`,
      `0::/machine.slice/libpod-${id}.scope/container`,
    ])
      expect(await found({ [cgroup]: `${line}\n` })).toEqual({ id, image: null });
    const mount = `642 632 0:5 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/sda rw`;
    expect(await found({ [cgroup]: '0::/\n', '/proc/self/mountinfo': mount })).toEqual({ id, image: null });
    const podman = `engine="podman"\nid="${id}"\nimage="localhost/a"\nimageid="sha256:12"\n`;
    expect(await found({ '/run/.containerenv': podman })).toEqual({ id, image: 'sha256:12' });
    const env = { SHALLOWS_IMAGE: 'registry.example/net@sha256:34' };
    expect(await found({ '/run/.containerenv': podman }, env)).toEqual({ id, image: env.SHALLOWS_IMAGE });
    expect(await found({}, env)).toEqual({ id: null, image: env.SHALLOWS_IMAGE });
  });

  test('graphics processors, and none', async () => {
    const text = 'NVIDIA H100 80GB HBM3, 550.54.15, 81559\nTesla T4, 550.54.15, [N/A]\n';
    expect(readGpus(text)).toEqual({
      gpus: [
        { name: 'NVIDIA H100 80GB HBM3', memoryBytes: 81_559 * 2 ** 20 },
        { name: 'Tesla T4', memoryBytes: null },
      ],
      driver: '550.54.15',
    });
    const none = { gpus: [], driver: null };
    expect(readGpus('\n')).toEqual(none);
    expect(await askForGpus({ command: join(root, 'no-such-tool') })).toEqual(none);
    const slow = join(root, 'slow');
    await writeFile(slow, '#!/bin/sh\nexec sleep 30\n');
    await chmod(slow, 0o755);
    expect(await askForGpus({ command: slow, limitMs: 50 })).toEqual(none);
  });

  test('where recipes differ', () => {
    const a = { name: 'a', train: { lr: 1, sizes: [1, 2] }, only: null };
    expect(flatten(a)).toEqual([
      ['name', 'a'],
      ['train.lr', 1],
      ['train.sizes', [1, 2]],
      ['only', null],
    ]);
    expect(differences([a, structuredClone(a)])).toEqual([]);
    expect(differences([a, { name: 'a', train: { lr: 2, sizes: [1, 2], more: true } }])).toEqual([
      { path: 'train.lr', values: [1, 2] },
      { path: 'only', values: [null, undefined] },
      { path: 'train.more', values: [undefined, true] },
    ]);
  });
});
