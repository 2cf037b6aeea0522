import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fitterOf, resnet, smallPictures } from '../../../../tests/support/fit.js';
import { runStart } from '../../../../tests/support/run-start.js';
import { copySnapshot, type HeldSnapshot } from '../../../../tests/support/snapshots.js';
import type { DataSplits } from '../data/index.js';
import type { Snapshot, TrainEvent, Trainer } from '../train/index.js';
import { createRun, loadRun, type Run, resumeRun, verifyRun } from './index.js';
import type { JournalLine } from './journal/line.js';

let data: DataSplits;
let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-resumed-'));
  data = await smallPictures();
});
afterAll(async () => {
  data.dispose();
  await rm(root, { recursive: true });
});
const fit = fitterOf(() => data);

interface Held {
  readonly place: string;
  readonly snapshot: HeldSnapshot;
  /** The journal as a process that is killed here leaves it, what it held back written. */
  readonly journal: Buffer;
}

/** Trains two epochs of three batches into a run, and offers every moment at which a snapshot can be taken. */
async function train(run: Run, at: (place: string, state: () => Snapshot) => void, from?: Snapshot): Promise<void> {
  let trainer: Trainer | null = null;
  const ask = (): Snapshot => {
    if (trainer === null) throw new Error('expected a trainer');
    return trainer.state();
  };
  const told = ({ kind, at: { batch } }: TrainEvent): void => {
    if (kind !== 'fit-start' && kind !== 'fit-end') at(`told of ${kind} ${String(batch)}`, ask);
  };
  using _ = await fit(
    resnet,
    { drop: 0.5 },
    {
      logEvery: 1,
      evaluateEvery: '2ba',
      before: (made) => {
        trainer = made;
        if (from !== undefined) made.load(from);
      },
      algorithms: [
        {
          name: 'saver',
          onEpochStart: ({ progress, state }) => at(`epoch start ${String(progress.batch)}`, state),
          onOptimizerStepStart: ({ progress, state }) => at(`gradients ${String(progress.batch)}`, state),
          onBatchEnd: ({ progress, state }) => at(`batch end ${String(progress.batch)}`, state),
          onEpochEnd: ({ progress, state }) => at(`epoch end ${String(progress.batch)}`, state),
        },
      ],
      callbacks: [run, { onEvent: told }],
    },
  );
  await run.finish({ status: 'done' });
}

/** What the journal says happened, without times and without what it says of resuming. */
function story(lines: readonly JournalLine[]): string[] {
  const timeless = (value: unknown): string =>
    JSON.stringify(value, (name, inner: unknown) =>
      /Ms$|^(seq|time|timing|peakMemoryBytes)$/.test(name) ? undefined : inner,
    );
  return lines.flatMap((line) => {
    if (line.kind === 'batches')
      return line.durationMs.map((_, i) => {
        const batch = line.first + i;
        const loss = line.losses.find(([at]) => at === batch)?.[1];
        return timeless({ batch, loss, active: line.active[i] });
      });
    return ['fit-start', 'resumed', 'rewind', 'repaired', 'warning'].includes(line.kind) ? [] : [timeless(line)];
  });
}

describe('the journal of a run that was killed and goes on', () => {
  test('tells the story of the unbroken run, for every moment of the snapshot', async () => {
    const straight = join(root, 'straight');
    const run = await createRun(straight, runStart);
    const held: Held[] = [];
    const journals: Promise<void>[] = [];
    await train(run, (place, state) => {
      run.journal.sync();
      const snapshot = copySnapshot(state);
      journals.push(readFile(run.file('journal')).then((journal) => void held.push({ place, snapshot, journal })));
    });
    await Promise.all(journals);
    const wanted = story((await loadRun(straight)).journal.lines);
    expect(wanted.length).toBeGreaterThan(6 + 3 + 2);
    expect(held.length).toBeGreaterThan(25);
    const whole = await readFile(run.file('journal'));

    for (const [i, { place, snapshot, journal }] of held.entries()) {
      const folder = join(root, `resumed-${String(i)}`);
      await cp(straight, folder, { recursive: true });
      const clock = snapshot.json.clock as { readonly batch: number };
      // Killed at the end of the run, or right here in the middle of a line.
      const left = i % 2 === 0 ? whole : Buffer.concat([journal, Buffer.from('{"seq":')]);
      await writeFile(join(folder, 'journal.jsonl'), left);
      const again = await resumeRun(folder, { batch: clock.batch, command: [], versions: runStart.versions });
      expect(again.repaired === null, place).toBe(i % 2 === 0);
      await train(again.run, () => undefined, snapshot);
      snapshot.dispose();
      const resumed = await loadRun(folder);
      expect(story(resumed.journal.lines), place).toEqual(wanted);
      expect(resumed.record.stability?.readings, place).toBe(6);
      expect(resumed.record.efficiency?.steps, place).toBe(6);
      expect((await verifyRun(folder)).problems, place).toEqual([]);
    }
  });
});
