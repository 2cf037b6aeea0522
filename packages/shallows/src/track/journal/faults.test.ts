import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchEnd, checkpointed, evaluation, fitEnd, fitStart } from '../../../../../tests/support/journal-events.js';
import { NO_GENESIS, seal, unseal } from './chain.js';
import { createJournal, reopenJournal } from './open.js';
import { readJournal } from './reader.js';
import { verifyJournal } from './verify.js';
import { type FsyncPolicy, JournalWriter } from './writer.js';

let root = '';
let folders = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-journal-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const genesis = 'ab'.repeat(32);

async function newPath(): Promise<string> {
  const folder = join(root, String(folders++));
  await mkdir(folder);
  return join(folder, 'journal.jsonl');
}

const events = [fitStart(), batchEnd(1, { loss: 1 }), batchEnd(2), batchEnd(3), evaluation(3), fitEnd(3)];

/** A journal of these events: four lines. */
async function written(told = events): Promise<{ path: string; bytes: Buffer; ends: number[] }> {
  const path = await newPath();
  const journal = createJournal(path, { genesis });
  for (const event of told) journal.record(event);
  journal.close();
  const bytes = await readFile(path);
  const ends = [...bytes.entries()].flatMap(([i, byte]) => (byte === 10 ? [i + 1] : []));
  return { path, bytes, ends };
}

const kindsOf = async (path: string): Promise<string[]> => {
  const { lines } = await readJournal(path, { genesis });
  return lines.map(({ kind }) => kind);
};

describe('the chain', () => {
  test('each line carries the digest of the one before, as any tool can tell', async () => {
    const { path } = await written();
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    let prev = genesis;
    for (const line of lines) {
      const body = line.replace(/,"digest":"([0-9a-f]{64})"\}$/, '}');
      const digest = execFileSync('sha256sum', { input: body, encoding: 'utf8' }).slice(0, 64);
      expect(JSON.parse(line)).toMatchObject({ prev, digest });
      prev = digest;
    }
    expect(await verifyJournal(path, { genesis })).toEqual({
      head: { lines: 4, digest: prev },
      broken: null,
      torn: null,
    });
  });

  test('finds every flipped bit of every byte, by the number of its line', async () => {
    const { path, bytes, ends } = await written();
    for (let i = 0; i < bytes.length; i++) {
      const bad = Buffer.from(bytes);
      bad[i] = (bad[i] ?? 0) ^ (1 << (i % 8));
      await writeFile(path, bad);
      const line = ends.findIndex((end) => i < end) + 1;
      const { broken, torn } = await verifyJournal(path, { genesis });
      // The newline of the last line is all that ends it.
      if (i === bytes.length - 1) expect([broken, torn?.line]).toEqual([null, 4]);
      else expect(broken?.line).toBe(line);
    }
  });

  test('finds lines that were left out, put in, swapped, changed and sealed anew', async () => {
    const { path, bytes } = await written();
    const good = bytes.toString().trimEnd().split('\n');
    const checked = async (lines: readonly string[], from = genesis): Promise<string> => {
      await writeFile(path, `${lines.join('\n')}\n`);
      const { broken } = await verifyJournal(path, { genesis: from });
      return broken === null ? 'whole' : `line ${String(broken.line)}: expected ${broken.expected}, got ${broken.got}`;
    };
    const [a = '', b = '', c = '', d = ''] = good;
    expect(await checked(good)).toBe('whole');
    expect(await checked([a, c, d])).toBe('line 2: expected seq 1, got 2');
    expect(await checked([a, c, b, d])).toContain('line 2');
    expect(await checked([a, a, b, c, d])).toBe('line 2: expected seq 1, got 0');
    expect(await checked([b, c, d])).toContain('line 1');
    expect(await checked(good, 'cd'.repeat(32))).toMatch(/^line 1: expected the first line of this run's journal/);
    const { value } = unseal(Buffer.from(b)) as { value: Record<string, unknown> };
    const { prev, digest, ...entry } = value;
    const forged = seal({ ...entry, lr: 7 }, String(prev)).text;
    expect(await checked([a, forged, c, d])).toMatch(/^line 3: expected a line that follows on the one before it/);
    expect(await checked([a, b, '', d])).toContain('line 3: expected a line that ends with its digest, got 0 bytes');
    const wrong = seal({ ...entry, sites: 'many' }, String(prev)).text;
    expect(await checked([a, wrong])).toContain('line 2: expected a line of kind batches, got sites: expected a whole');
    await expect(readJournal(path)).rejects.toThrow(
      `readJournal: ${path}, line 2: expected a line of kind batches, got sites: expected a whole number - restore the file from a copy`,
    );
    expect(await checked([seal([1], genesis).text])).toContain('line 1');
  });

  test('leaves out whole lines of kinds and keys that it does not know, and counts them', async () => {
    const path = await newPath();
    const time = new Date(0).toISOString();
    const first = seal({ seq: 0, time, kind: 'telepathy', thought: 1 }, NO_GENESIS);
    const second = seal({ seq: 1, time, kind: 'rewind', batch: 3, mood: 'good' }, first.digest);
    await writeFile(path, `${first.text}\n${second.text}\n`);
    const { lines, unknown, head } = await readJournal(path);
    expect(lines).toEqual([{ seq: 1, time, kind: 'rewind', batch: 3 }]);
    expect([unknown, head.lines]).toEqual([1, 2]);
  });

  test('refuses what is no text', async () => {
    const path = await newPath();
    const { text } = seal({ seq: 0, time: '', kind: 'x' }, NO_GENESIS);
    await writeFile(path, Buffer.concat([Buffer.from([0xff]), Buffer.from(text), Buffer.from('\n')]));
    await expect(readJournal(path)).rejects.toThrow('line 1: expected the content of digest');
  });
});

describe('reopening', () => {
  test('after a cut at every byte: goes on after the last whole line, and loses nothing', async () => {
    const { path, bytes, ends } = await written([batchEnd(1), evaluation(1)]);
    const kinds = ['batches', 'evaluation'];
    for (let length = 0; length <= bytes.length; length++) {
      const folder = join(root, String(folders++));
      await mkdir(folder);
      const cut = join(folder, 'journal.jsonl');
      await writeFile(cut, bytes.subarray(0, length));
      const whole = ends.filter((end) => end <= length).length;
      const torn = length - (ends[whole - 1] ?? 0);
      const { journal, lines, repaired } = reopenJournal(cut, { genesis });
      journal.record(checkpointed(3));
      journal.close();
      expect(lines.map(({ kind }) => kind)).toEqual(kinds.slice(0, whole));
      const names = (await readdir(folder)).filter((name) => name !== 'journal.jsonl');
      if (torn === 0) {
        expect([repaired, names]).toEqual([null, []]);
        expect(await kindsOf(cut)).toEqual([...kinds.slice(0, whole), 'checkpoint']);
      } else {
        const aside = `journal.torn-${String(whole + 1)}.bin`;
        const why = 'its last line was cut off';
        expect(repaired).toEqual({ kind: 'repaired', line: whole + 1, bytes: torn, aside, why });
        expect(names).toEqual([aside]);
        expect(await readFile(join(folder, aside))).toEqual(bytes.subarray(length - torn, length));
        expect(await kindsOf(cut)).toEqual([...kinds.slice(0, whole), 'repaired', 'checkpoint']);
      }
      await rm(folder, { recursive: true });
    }
    expect(await kindsOf(path)).toEqual(kinds);
  });

  test('after a broken line: that and what follows is moved aside, each time into a file of its own', async () => {
    const { path, bytes, ends } = await written();
    const broken = Buffer.from(bytes);
    broken[(ends[0] ?? 0) + 20] = 0;
    for (const name of ['journal.torn-2.bin', 'journal.torn-2-2.bin']) {
      await writeFile(path, broken);
      const { journal, repaired } = reopenJournal(path, { genesis });
      journal.close();
      expect(repaired).toMatchObject({ line: 2, bytes: broken.length - (ends[0] ?? 0), aside: name });
      expect(repaired?.why).toMatch(/^expected the content of digest [0-9a-f]{12}, got that of [0-9a-f]{12}$/);
      expect(await readFile(join(path, '..', name))).toEqual(broken.subarray(ends[0]));
      expect(await kindsOf(path)).toEqual(['fit-start', 'repaired']);
    }
  });

  test("after another run's journal took its place, and after it went", async () => {
    const { path } = await written();
    const other = 'cd'.repeat(32);
    const taken = reopenJournal(path, { genesis: other });
    taken.journal.close();
    expect(taken.repaired).toMatchObject({ line: 1, why: expect.stringContaining("this run's journal") as string });
    expect((await readJournal(path, { genesis: other })).lines.map(({ kind }) => kind)).toEqual(['repaired']);
    await rm(path);
    const { journal, repaired } = reopenJournal(path, { genesis });
    journal.close();
    expect(repaired).toMatchObject({ bytes: 0, aside: null, why: 'the journal was missing' });
    expect(await kindsOf(path)).toEqual(['repaired']);
  });

  test('whole journals go on without a note, and seq and digests go on', async () => {
    const { path } = await written();
    for (const batch of [4, 5]) {
      const { journal, repaired } = reopenJournal(path, { genesis });
      journal.record(batchEnd(batch));
      journal.close();
      expect(repaired).toBeNull();
    }
    const { lines } = await readJournal(path, { genesis });
    expect(lines.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('writing', () => {
  test('notices a second writer before it harms anything', async () => {
    const { path, bytes } = await written();
    const { journal } = reopenJournal(path, { genesis });
    const { journal: other } = reopenJournal(path, { genesis });
    other.record(evaluation(4));
    expect(() => journal.record(evaluation(4))).toThrow(/bytes where it wrote \d+: another writer/);
    other.record(evaluation(5));
    other.close();
    expect(() => journal.record(evaluation(5))).toThrow('another writer');
    journal.close();
    expect((await readFile(path)).subarray(0, bytes.length)).toEqual(bytes);
    expect(await kindsOf(path)).toEqual(['fit-start', 'batches', 'evaluation', 'fit-end', 'evaluation', 'evaluation']);
  });

  test.each<[FsyncPolicy, number[]]>([
    // After: fit-start, batch 1, batch 2, evaluation (which writes the batches), checkpoint, warning-like note, close.
    ['always', [1, 1, 1, 3, 4, 5, 5]],
    ['events', [0, 0, 0, 1, 2, 3, 3]],
    [1000, [0, 0, 1, 1, 1, 2, 2]],
  ])('fsync %s: syncs when it says so', async (fsync, wanted) => {
    const path = await newPath();
    let [syncs, time] = [0, 0];
    const end = { file: openSync(path, 'ax'), size: 0, head: { lines: 0, digest: NO_GENESIS } };
    const now = () => new Date(time);
    const journal = new JournalWriter(path, { ...end, sync: () => void syncs++ }, { fsync, now, flushMs: 1e9 });
    const seen: number[] = [];
    const steps = [
      () => journal.record(fitStart()),
      () => journal.record(batchEnd(1)),
      () => {
        time += 1000;
        journal.record(batchEnd(2));
      },
      () => journal.record(evaluation(2)),
      () => journal.record(checkpointed(2)),
      () => journal.note({ kind: 'rewind', batch: 1 }),
      () => journal.close(),
    ];
    for (const step of steps) {
      step();
      seen.push(syncs);
    }
    expect(seen).toEqual(wanted);
  });

  test('a sync that fails is an error that names the journal', async () => {
    const path = await newPath();
    const file = openSync(path, 'ax');
    const sync = (): void => {
      throw new Error('EIO');
    };
    const journal = new JournalWriter(path, { file, size: 0, head: { lines: 0, digest: NO_GENESIS }, sync });
    expect(() => journal.record(evaluation(1))).toThrow(`JournalWriter: expected to sync (${path}), got EIO`);
    expect(() => journal.close()).toThrow('EIO');
    journal.close();
  });
});

describe('a disk that is full', () => {
  let disk = '';
  let why = '';
  beforeAll(async () => {
    disk = await mkdtemp(join(root, 'disk-'));
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], {
      encoding: 'utf8',
    });
    if (status !== 0) why = stderr?.trim() || 'no mount command';
  });
  afterAll(() => {
    if (why === '') spawnSync('umount', [disk]);
  });

  test('costs no line that was written, and batches are tried again', async ({ skip }) => {
    if (why !== '') skip(`a small file system cannot be mounted here: ${why}`);
    const path = join(disk, 'journal.jsonl');
    const journal = createJournal(path, { genesis });
    let batch = 0;
    const fill = (): void => {
      for (;;) {
        for (let i = 0; i < 20; i++) journal.record(batchEnd(++batch, { lr: 1 / batch, loss: batch }));
        journal.flush();
      }
    };
    expect(fill).toThrow(/ENOSPC|a full disk/);
    const before = (await readJournal(path, { genesis })).head.lines;
    expect(before).toBeGreaterThan(10);
    expect(() => journal.record(evaluation(batch))).toThrow(/ENOSPC|a full disk/);
    expect((await readJournal(path, { genesis })).head.lines).toBe(before);

    // Room is made: nothing of what was held back is lost.
    spawnSync('mount', ['-o', 'remount,size=256k', disk]);
    journal.record(evaluation(batch));
    journal.close();
    const { lines, torn } = await readJournal(path, { genesis });
    const losses = lines.flatMap((line) => (line.kind === 'batches' ? line.losses.map(([, loss]) => loss) : []));
    expect(losses).toEqual(Array.from({ length: batch }, (_, i) => i + 1));
    expect(torn).toBeNull();
    await rm(path);
  });

  test('cannot repair, and then harms nothing', async ({ skip }) => {
    if (why !== '') skip(`a small file system cannot be mounted here: ${why}`);
    spawnSync('mount', ['-o', 'remount,size=64k', disk]);
    const path = join(disk, 'journal.jsonl');
    const journal = createJournal(path, { genesis });
    journal.record(fitStart());
    journal.close();
    await appendFile(path, Buffer.alloc(40_000, 'x'));
    const before = await readFile(path);
    expect(() => reopenJournal(path, { genesis })).toThrow('openJournal: expected to keep a broken end beside it');
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(disk)).toEqual(['journal.jsonl']);
  });
});

test('a closed file is closed', async () => {
  const path = await newPath();
  const file = openSync(path, 'ax');
  const journal = new JournalWriter(path, { file, size: 0, head: { lines: 0, digest: NO_GENESIS } });
  journal.close();
  expect(() => closeSync(file)).toThrow('EBADF');
});
