import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setNumThreads, type Tensor } from '@shallows/torch';
import { type DataSplits, loadData } from 'shallows/data';
import { applyPolicy, Policy, type PolicyOptions, planSlot, rowFlags } from 'shallows/depth';
import { AdamW, cosineSchedule } from 'shallows/nn';
import { deriveKey, rootKey } from 'shallows/random';
import {
  type Algorithm,
  CheckpointStore,
  type DataParallel,
  dataParallel,
  ema,
  gradientClipping,
  mixUp,
  readRanks,
  resumeFrom,
  type TrainEvent,
  Trainer,
  type Training,
} from 'shallows/train';
import { Network } from './network.js';

// One rank of a trainer's run: node rank-run.js OPTIONS. It runs once from the beginning, saving wherever it can, or once from
// each of the checkpoints that it is given. The last line of stdout says what came of it.

/** What all ranks are told, as JSON. */
export interface RunOptions {
  /** Where checkpoints are written. */
  readonly folder: string;
  readonly batches: number;
  readonly depth: PolicyOptions;
  readonly batchNorm: 'local' | 'synchronised';
  readonly precision: 'float32' | 'bfloat16';
  /** Checkpoints to go on from; null runs from the beginning. */
  readonly from: readonly { readonly path: string; readonly workers: number }[] | null;
}

/** A checkpoint of the run from the beginning. */
export interface Point {
  readonly name: string;
  readonly path: string;
  /** Events that had been told by then. */
  readonly told: number;
}

/** What came of a run. */
export interface RunEvidence {
  /** SHA-256 of all parameters, and of the optimizer's tensors and the averages: on rank 0 of buffers too, which are the model's. */
  readonly weights: string;
  readonly state: string;
  /** SHA-256 of the buffers, such as running means. */
  readonly buffers: string;
  /** What the callbacks were told, without times. */
  readonly events: readonly string[];
  readonly points: readonly Point[];
  /** Of each step, the first row of the global batch that this rank has, and for each of its rows which sites keep it. */
  readonly plans: readonly { readonly batch: number; readonly firstRow: number; readonly kept: readonly string[] }[];
}

const digest = (tensors: Iterable<readonly [string, Tensor]>): string => {
  const hash = createHash('sha256');
  for (const [name, each] of tensors) hash.update(`${name} ${each.dtype}`).update(each.toBytes());
  return hash.digest('hex');
};

const timeless = (event: TrainEvent): string =>
  JSON.stringify(event, (name, value: unknown) => (/Ms$|^timing$|^peakMemoryBytes$/.test(name) ? undefined : value));

/** Saves before each optimizer step, after each batch and after each epoch. */
function savingEverywhere(
  store: CheckpointStore,
  told: () => number,
): { readonly saver: Algorithm; readonly points: Point[] } {
  const points: Point[] = [];
  let saving: Promise<void> = Promise.resolve();
  const give = ({ progress, world }: Training, place: string, snapshot: ReturnType<Training['state']>) => {
    const name = `${place}-${progress.batch}`;
    const at = told();
    const saved = store.save(snapshot, { name, progress });
    saving = saved.then(({ path }) => void points.push({ name, path, told: at }));
    if (world.rank > 0) throw new Error('expected only rank 0 to save');
    return saved;
  };
  const after =
    (place: string) =>
    async (training: Training): Promise<void> => {
      await saving;
      await training.checkpoint(place, (snapshot) => give(training, place, snapshot));
      await saving;
    };
  const saver: Algorithm = {
    name: 'saver',
    onOptimizerStepStart(training) {
      if (training.world.rank === 0) void give(training, 'gradients', training.state());
    },
    onBatchEnd: after('batch-end'),
    onEpochEnd: after('epoch-end'),
  };
  return { saver, points };
}

async function run(
  options: RunOptions,
  ranks: DataParallel,
  from: { readonly path: string; readonly workers: number } | null,
): Promise<RunEvidence> {
  const key = rootKey(4);
  const { batches, precision } = options;
  using data: DataSplits = await loadData({ kind: 'textures', train: 97, validation: 33, noise: 0.1, size: 8 });
  using model = new Network({ classes: 10, key: deriveKey(key, 'model') });
  const policy = Policy({ ...options.depth, time: { kind: 'warmup', length: '0.5dur' } });
  const optimizer = new AdamW(model.parameters(), { lr: 3e-3, weightDecay: 0.05 });
  await using store = new CheckpointStore(join(options.folder), { retention: { last: 10_000 } });
  const events: string[] = [];
  const { saver, points } = savingEverywhere(store, () => events.length);
  let state = '';
  const evidence: Algorithm = {
    name: 'evidence',
    onFitEnd: (training) => {
      const learnt = new Set(Array.from(training.model.namedParameters(), ([name]) => name));
      const averages = Object.entries(averaging.stateDict?.()?.tensors ?? {});
      state = digest([
        ...Object.entries(training.optimizer.stateDict().tensors),
        ...averages.filter(([name]) => training.world.rank === 0 || learnt.has(name)),
      ]);
    },
  };
  const plans: RunEvidence['plans'][number][] = [];
  const planning: Algorithm = {
    name: 'plans',
    onForwardStart: (_, { batch, firstRow, indices, pass }) => {
      const sites = pass.get(planSlot)?.plan.sites ?? [];
      const flags = sites.map(
        ({ kept, rows }) => (rows === null ? null : rowFlags(rows)) ?? [...indices].map(() => kept),
      );
      const kept = Array.from(indices, (_row, i) => flags.map((each) => Number(each[i])).join(''));
      plans.push({ batch, firstRow, kept });
    },
  };
  const averaging = ema({ halflife: '5ba' });
  const shard = { rank: ranks.rank, size: ranks.size };
  using trainer = new Trainer({
    model,
    modelName: 'torture',
    train: data.train,
    validation: data.validation,
    source: (epoch) =>
      data.train.batches({
        ...{ batchSize: 15, key, epoch, shuffle: true, shard, workers: from?.workers ?? 0 },
        augment: { crop: { padding: 1 }, flip: true },
      }),
    batchSize: 15,
    microbatches: 2,
    optimizer,
    schedule: cosineSchedule({ steps: batches }),
    policy,
    sites: applyPolicy(model, policy),
    algorithms: [
      mixUp({ alpha: 0.8 }),
      from === null ? saver : { name: 'saver' },
      gradientClipping({ norm: 1 }),
      averaging,
      planning,
      evidence,
    ],
    callbacks: [
      {
        onEvent: (event) => {
          if (event.kind !== 'checkpoint' && event.kind !== 'resumed' && event.kind !== 'fit-start')
            events.push(timeless(event));
        },
      },
    ],
    precision,
    key,
    duration: `${batches}ba`,
    evaluateEvery: '5ba',
    logEvery: 1,
    parallel: ranks,
  });
  using snapshot = from === null ? null : resumeFrom(from.path, { folder: options.folder }).snapshot;
  if (snapshot !== null) trainer.load(snapshot);
  try {
    await trainer.fit();
  } finally {
    optimizer.dispose();
  }
  const [weights, buffers] = [digest(model.namedParameters()), digest(model.namedBuffers())];
  return { weights, state, buffers, events, points, plans };
}

setNumThreads(1);
const options = JSON.parse(process.argv[2] ?? '') as RunOptions;
const place = readRanks();
const ranks = await dataParallel({ place, batchNorm: options.batchNorm, timeoutMs: 60_000 });
const found: RunEvidence[] = [];
try {
  for (const each of options.from ?? [null]) found.push(await run(options, ranks, each));
} catch (error) {
  await ranks.abort(error instanceof Error ? error.message : String(error));
  throw error;
} finally {
  await ranks.close();
}
process.stdout.write(`${JSON.stringify(found)}\n`);
