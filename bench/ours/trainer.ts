// A training step of a CIFAR ResNet by hand and by the trainer with its journal and progress, in turn in one process, step
// by step. Prints the medians in milliseconds and the median over pairs of trainer ÷ bare.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scope, setNumThreads } from '@shallows/torch';
import { type DataSplits, loadData } from 'shallows/data';
import { cifarResnet } from 'shallows/models';
import { constantSchedule, crossEntropy, type Module, SGD, trainingPass } from 'shallows/nn';
import { deriveKey, rootKey } from 'shallows/random';
import { createJournal, progressCallback } from 'shallows/track';
import { type Algorithm, Trainer } from 'shallows/train';

const [depth = 20, batchSize = 128, threads = 2, steps = 40] = process.argv.slice(2).map(Number);
setNumThreads(threads);
const key = rootKey(1);
const warmup = 5;

function newModel(): { readonly model: Module; readonly optimizer: SGD } {
  const model = cifarResnet({ depth, classes: 10, key: deriveKey(key, 'model') });
  return {
    model,
    optimizer: new SGD(model.parameters(), { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 }),
  };
}

/** What the trainer does at the least: a batch, its rate, forward, loss, backward, the optimizer. */
function bareLoop(data: DataSplits): () => void {
  const { model, optimizer } = newModel();
  const source = data.train.batches({ batchSize, key, epoch: 0, shuffle: true });
  let step = 0;
  return () =>
    scope(() => {
      const { inputs, targets } = source.at(step % source.length);
      for (const group of optimizer.groups) group.lr = group.baseLr;
      optimizer.zeroGrad();
      const pass = trainingPass({ key: deriveKey(key, 'step', step++) });
      crossEntropy(model.forward(inputs, pass), targets).backward();
      optimizer.step();
    });
}

const folder = mkdtempSync(join(tmpdir(), 'shallows-bench-'));
const journal = createJournal(join(folder, 'journal.jsonl'));
try {
  const data = await loadData({ kind: 'textures', train: batchSize * 8, validation: 10, noise: 0.1, size: 32 });
  const bare = bareLoop(data);
  const times: { readonly bare: number; readonly trainer: number }[] = [];
  let before = Number.NaN;
  // From here to the next call is one step of the trainer, with everything between two batches.
  const alternate: Algorithm = {
    name: 'alternate',
    onBatchEnd: () => {
      const start = performance.now();
      const trainer = start - before;
      bare();
      const end = performance.now();
      times.push({ bare: end - start, trainer });
      before = end;
    },
    // Evaluations and ends of epochs are no part of a step.
    onEpochStart: () => {
      before = Number.NaN;
    },
  };
  const { model, optimizer } = newModel();
  const silent = { write: () => true };
  await new Trainer({
    model,
    modelName: `cifar-resnet-${depth}`,
    train: data.train,
    validation: data.validation,
    source: (epoch) => data.train.batches({ batchSize, key, epoch, shuffle: true }),
    batchSize,
    optimizer,
    schedule: constantSchedule(),
    key,
    duration: { value: steps + warmup, unit: 'ba' },
    evaluateEvery: '1dur',
    trainSubset: 10,
    algorithms: [alternate],
    callbacks: [{ onEvent: (event) => journal.record(event) }, progressCallback({ output: silent })],
  }).fit();
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
  const measured = times.slice(warmup).filter(({ trainer }) => !Number.isNaN(trainer));
  const ratio = median(measured.map((each) => each.trainer / each.bare));
  const of = (which: 'bare' | 'trainer'): number => median(measured.map((each) => each[which]));
  console.log(JSON.stringify({ 'bare, ms': of('bare'), 'trainer, ms': of('trainer'), ratio, steps: measured.length }));
} finally {
  journal.close();
  rmSync(folder, { recursive: true });
}
