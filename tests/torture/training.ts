import { setNumThreads } from '@shallows/torch';
import { type DataSplits, loadData } from 'shallows/data';
import { applyPolicy, Policy } from 'shallows/depth';
import { AdamW, cosineSchedule, warmupSchedule } from 'shallows/nn';
import { deriveKey, rootKey } from 'shallows/random';
import {
  type Callback,
  CheckpointStore,
  checkpointing,
  ema,
  gradientClipping,
  mixUp,
  resumeFrom,
  Trainer,
} from 'shallows/train';
import { Network } from './network.js';

/** What a life of the run is told. */
export interface LifeOptions {
  /** The checkpoints. */
  readonly folder: string;
  readonly batches: number;
  readonly callbacks: readonly Callback[];
  readonly signal: AbortSignal;
  /** Called as a save begins. */
  readonly onSave: () => void;
}

/**
 * Trains until the end, from the newest checkpoint or the beginning: a small network with stochastic depth over time, dropout,
 * batch norm, MixUp, an average of the weights, clipping, two microbatches a batch, bfloat16 and augmented data.
 *
 * @returns why it ended, and the batch it went on from
 */
export async function live(options: LifeOptions): Promise<{ readonly reason: string; readonly from: number }> {
  setNumThreads(1);
  const key = rootKey(4);
  using data: DataSplits = await loadData({ kind: 'textures', train: 112, validation: 32, noise: 0.1, size: 8 });
  const { train, validation } = data;
  using model = new Network({ classes: 10, key: deriveKey(key, 'model') });
  const policy = Policy({ drop: 0.4, schedule: 'linear', time: { kind: 'warmup', length: '0.5dur' } });
  const optimizer = new AdamW(model.parameters(), { lr: 3e-3, weightDecay: 0.05 });
  await using store = new CheckpointStore(options.folder, {
    retention: { last: 2, best: { metric: 'validation.loss', mode: 'min' } },
  });
  const saving = checkpointing({ store, every: '6ba' });
  using trainer = new Trainer({
    model,
    modelName: 'torture',
    train,
    validation,
    source: (epoch) =>
      train.batches({ batchSize: 16, key, epoch, shuffle: true, augment: { crop: { padding: 1 }, flip: true } }),
    batchSize: 16,
    microbatches: 2,
    optimizer,
    schedule: warmupSchedule({ steps: 5, next: cosineSchedule({ steps: options.batches }) }),
    policy,
    sites: applyPolicy(model, policy),
    algorithms: [
      mixUp({ alpha: 0.8 }),
      gradientClipping({ norm: 1 }),
      ema({ halflife: '20ba' }),
      saving,
      { name: 'tell', onCheckpointStart: options.onSave },
    ],
    callbacks: options.callbacks,
    precision: 'bfloat16',
    key,
    duration: `${options.batches}ba`,
    evaluateEvery: '1ep',
    logEvery: 1,
    signal: options.signal,
  });
  const { from, snapshot } = resumeFrom('auto', { folder: options.folder });
  if (snapshot !== null) {
    using loaded = snapshot;
    trainer.load(loaded, { from: from?.path ?? null });
  }
  try {
    const { reason } = await trainer.fit();
    return { reason, from: from?.manifest.progress.batch ?? -1 };
  } finally {
    optimizer.dispose();
  }
}
