// What a batch costs in the journal, by how long the journal is. Arguments: numbers of lines as JSON, rounds, folder. Prints
// microseconds a batch: with a line each, and collected as a run does it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createJournal, type JournalWriter, reopenJournal } from 'shallows/track';
import type { TrainEvent } from 'shallows/train';

const [lengths = '[]', rounds, folder = ''] = process.argv.slice(2);
const MEASURED = 2000;

function batchEnd(batch: number): TrainEvent {
  return {
    kind: 'batch-end',
    at: { epoch: 0, batch, sample: 128 * batch, elapsedMs: batch * 10.25, fraction: 0 },
    ...{ loss: batch % 10 === 0 ? 2.25 : null, lr: 0.1, durationMs: 10.125, dataWaitMs: 0.125, gradNorm: null },
    ...{ samples: 128, active: 40, sites: 54, factor: 1 },
  };
}

/** Microseconds of each of the next batches. */
function perBatch(journal: JournalWriter, first: number): number {
  const start = performance.now();
  for (let i = 0; i < MEASURED; i++) journal.record(batchEnd(first + i));
  journal.flush();
  return (1000 * (performance.now() - start)) / MEASURED;
}

const found: { name: string; size: number; us: number[] }[] = [];
for (const [name, batchesPerLine] of [
  ['journal, a line a batch', 1],
  ['journal, 256 batches a line', 256],
] as const) {
  const open = (JSON.parse(lengths) as readonly number[]).map((size, i) => {
    const path = join(folder, `journal-${batchesPerLine}-${i}.jsonl`);
    const filling = createJournal(path, { batchesPerLine: 1, flushMs: 1e9 });
    while (filling.head.lines < size) filling.record(batchEnd(filling.head.lines));
    filling.close();
    const { journal } = reopenJournal(path, { batchesPerLine, flushMs: 1e9 });
    return { journal, path, size, at: size, us: [] as number[] };
  });
  for (let round = 0; round < Number(rounds); round++) {
    for (const each of open) {
      each.us.push(perBatch(each.journal, each.at));
      each.at += MEASURED;
    }
  }
  for (const { journal, path, size, us } of open) {
    journal.close();
    rmSync(path);
    found.push({ name, size, us });
  }
}
console.log(JSON.stringify(found));
