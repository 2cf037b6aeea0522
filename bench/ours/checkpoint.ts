// Saves and loads ResNet-50 with the state of its optimizer. Arguments: `store` or `safetensors`, folder, rounds. Prints
// milliseconds; a save is over once it would survive a loss of power.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors, setNumThreads, type Tensor } from '@shallows/torch';
import { CheckpointStore, readCheckpoint, type Snapshot } from 'shallows/train';
import { median } from '../interleave.js';
import { training } from './networks.js';
import { trainingStep } from './training-step.js';

const [kind = '', folder = '', rounds] = process.argv.slice(2);
setNumThreads(2);
const trained = training('resnet50', { channelsLast: false, fused: true });
const { model, optimizer } = trained;
trainingStep(trained);
mkdirSync(folder, { recursive: true });

const prefixed = (prefix: string, tensors: Readonly<Record<string, Tensor>>): [string, Tensor][] =>
  Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]);
const without = (prefix: string, tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  );

function snapshot(): Snapshot {
  const { tensors, json } = optimizer.stateDict();
  const all = [...prefixed('model.', model.stateDict()), ...prefixed('optimizer.', tensors)];
  return { tensors: Object.fromEntries(all), json: { optimizer: json } };
}

function load({ tensors, json }: Snapshot): void {
  model.loadStateDict(without('model.', tensors));
  optimizer.loadStateDict({ tensors: without('optimizer.', tensors), json: json.optimizer ?? null });
}

interface Times {
  readonly held: number;
  readonly save: number;
  readonly load: number;
}

async function throughStore(store: CheckpointStore, round: number): Promise<Times> {
  const start = performance.now();
  const saving = store.save(snapshot(), {
    progress: { epoch: 0, batch: round, sample: round, elapsedMs: 0, fraction: 0 },
  });
  const held = performance.now() - start;
  const { path } = await saving;
  const saved = performance.now();
  using found = readCheckpoint(path);
  load(found);
  return { held, save: saved - start, load: performance.now() - saved };
}

function throughFile(round: number): Times {
  const path = join(folder, `${round % 2}.safetensors`);
  const start = performance.now();
  const { tensors, json } = snapshot();
  saveSafetensors(path, tensors);
  const saved = performance.now();
  const found = loadSafetensors(path).tensors;
  load({ tensors: found, json });
  const loaded = performance.now();
  for (const each of Object.values(found)) each.dispose();
  return { held: saved - start, save: saved - start, load: loaded - saved };
}

if (kind !== 'store' && kind !== 'safetensors') throw new Error(`expected store or safetensors, got ${kind}`);
const store = new CheckpointStore(folder, { retention: { last: 1 } });
const times: Times[] = [];
for (let round = 0; round <= Number(rounds); round++) {
  times.push(kind === 'store' ? await throughStore(store, round) : throughFile(round));
}
await store[Symbol.asyncDispose]();
// The first makes files and threads.
const of = (name: keyof Times): number => median(times.slice(1).map((each) => each[name]));
console.log(
  JSON.stringify({ 'save, ms': of('save'), 'training held up by a save, ms': of('held'), 'load, ms': of('load') }),
);
