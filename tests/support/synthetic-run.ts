import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DepthReport } from '../../packages/shallows/src/depth/index.js';
import { Policy } from '../../packages/shallows/src/depth/policy/policy.js';
import { depthReport } from '../../packages/shallows/src/depth/proof/report.js';
import { uniforms } from '../../packages/shallows/src/random/draws.js';
import { deriveKey, rootKey } from '../../packages/shallows/src/random/key.js';
import {
  createRun,
  type DataRecord,
  loadRun,
  type RunData,
  type RunStart,
  type RunStatus,
  resumeRun,
} from '../../packages/shallows/src/track/index.js';
import type {
  Evaluation,
  Metrics,
  PrimaryMetric,
  Progress,
  TrainEvent,
} from '../../packages/shallows/src/train/events.js';

/** What a made-up run is like. */
export interface SyntheticOptions {
  readonly label?: string;
  readonly name?: string;
  readonly sites?: number;
  /** Drop rate of the last block; 0 for a plain run. */
  readonly drop?: number;
  readonly epochs?: number;
  readonly perEpoch?: number;
  readonly seed?: number;
  readonly evaluateEvery?: number;
  readonly accuracy?: number;
  readonly gap?: number;
  readonly finalLoss?: number;
  /** Epoch from which losses are NaN. */
  readonly diverges?: number;
  readonly status?: RunStatus;
  /** Epoch at which it stops. */
  readonly stopsAt?: number;
  readonly alarm?: boolean;
  readonly siteName?: (index: number) => string;
  /** Kinds of the sites of one block, such as `['attention', 'mlp']`: `sites` counts them all. */
  readonly kinds?: readonly string[];
  /** The second kind has half of the rates. */
  readonly unevenKinds?: boolean;
  readonly unit?: 'block' | 'row';
  /** Share of the run in which the rates rise from 0. */
  readonly warmup?: number;
  readonly advice?: readonly string[];
  readonly task?: 'classification' | 'regression' | 'language';
  /** Batches whose loss is far too high. */
  readonly spikes?: readonly number[];
  /** Milliseconds that a step waits for data. */
  readonly dataWaitMs?: number;
  /** Value of the primary metric that is to be reached. */
  readonly goal?: number;
  /** Epochs at which it was killed and went on from half an epoch before. */
  readonly killedAt?: number;
}

/** A run as it is read from the journal and the record that training writes, from made-up numbers: always the same. */
export async function syntheticRun(options: SyntheticOptions = {}): Promise<RunData> {
  const folder = mkdtempSync(join(tmpdir(), 'shallows-synthetic-'));
  await syntheticFolder(folder, options);
  const data = await loadRun(folder, { label: options.label ?? 'run' });
  rmSync(folder, { recursive: true });
  return data;
}

/** Writes such a run into a folder. */
export async function syntheticFolder(folder: string, options: SyntheticOptions = {}): Promise<void> {
  const {
    name = 'synthetic',
    sites = 9,
    drop = 0.5,
    epochs = 15,
    seed = 1,
    status = 'done',
    kinds = ['basic'],
    goal,
    unevenKinds = false,
    unit = 'block',
    task = 'classification',
    siteName = (i) => `layer${String(1 + Math.floor((3 * i) / Math.max(1, sites)))}.${String(i)}`,
  } = options;
  const model = {
    name: `cifar-resnet-${String(2 * sites + 2)}`,
    parameters: 272_474,
    sites: Array.from({ length: sites }, (_, i) => {
      const layer = Math.floor(i / kinds.length);
      const own = unevenKinds && i % kinds.length === 1 ? 0.5 : 1;
      const requested = (own * drop * (layer + 1)) / (sites / kinds.length);
      return { name: siteName(i), kind: kinds[i % kinds.length] ?? '', layer, requested };
    }),
  };
  const start: RunStart = {
    name,
    command: ['shallows', 'train', 'recipes/quickstart.yaml', `depth.kind=${drop > 0 ? 'stochastic' : 'none'}`],
    recipe: {
      name,
      seed,
      model: { kind: 'cifar-resnet', depth: 2 * sites + 2, classes: 10 },
      data: {
        kind: 'textures',
        train: 2000,
        validation: 1000,
        noise: 0.1,
        augment: { crop: { padding: 4 }, flip: true },
      },
      depth:
        drop > 0
          ? { kind: 'stochastic', drop, schedule: 'linear', scale: 'inverted', unit: 'block', execution: 'gate' }
          : { kind: 'none' },
      optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
      schedule: { kind: 'one-cycle', peak: 0.3 },
      train: { duration: `${String(epochs)}ep`, batchSize: 64, evaluateEvery: '1ep' },
      track: { kind: 'local', path: 'runs' },
    },
    seed,
    keys: { root: '0000000000000001', model: '1f83d9abfb41bd6b', run: '5be0cd19137e2179' },
    versions: { torch: '0.1.0', libtorch: '2.13.0' },
    threads: 2,
    devices: ['cpu'],
    determinism: { deterministic: true },
    data: dataOf(task),
    model,
    policy: drop > 0 ? { preset: null, ...Policy({ drop, unit }) } : null,
    goal: goal === undefined ? null : { metric: primaryOf[task].name, better: primaryOf[task].better, value: goal },
  };
  let run = await createRun(folder, start);
  const events = [...eventsOf(options, model)];
  const { perEpoch = 32, killedAt } = options;
  for (const event of events) {
    if (killedAt !== undefined && event.kind === 'batch-end' && event.at.batch === Math.floor(killedAt * perEpoch)) {
      run[Symbol.dispose]();
      const batch = event.at.batch - Math.floor(perEpoch / 2);
      ({ run } = await resumeRun(folder, { ...start, batch }));
      for (const again of events) {
        const redone = again.at.batch > batch && again.at.batch < event.at.batch;
        if (redone && again.kind !== 'fit-end') await run.onEvent(again);
      }
    }
    await run.onEvent(event);
  }
  if (status === 'running') run[Symbol.dispose]();
  else {
    const failure = 'Trainer: expected a finite loss, got NaN - lower the learning rate';
    await run.finish({ status, ...(status === 'failed' ? { failure } : {}) });
  }
}

const primaryOf: Readonly<Record<'classification' | 'regression' | 'language', PrimaryMetric>> = {
  classification: { name: 'accuracy', better: 'higher' },
  regression: { name: 'rmse', better: 'lower' },
  language: { name: 'perplexity', better: 'lower' },
};

function dataOf(task: keyof typeof primaryOf): DataRecord {
  const classes = Array.from({ length: 10 }, (_, i) => `class ${String(i)}`);
  const none = { train: null, validation: null };
  const counts = { train: Array<number>(10).fill(200), validation: Array<number>(10).fill(100) };
  const named = task === 'classification';
  return {
    name: { classification: 'textures', regression: 'houses', language: 'tales' }[task],
    task,
    digest: 'a'.repeat(64),
    sets: { train: 'b'.repeat(64), validation: 'c'.repeat(64) },
    splitDigest: null,
    sizes: { train: 2000, validation: 1000 },
    classes: named ? classes : null,
    classCounts: named ? counts : none,
    segmentCounts: none,
  };
}

/** One side of an evaluation, from a loss and an accuracy that fit. */
function metricsOf(task: keyof typeof primaryOf, loss: number, accuracy: number): Metrics {
  if (task === 'regression') return { loss, rmse: Math.sqrt(loss), mae: 0.8 * Math.sqrt(loss), r2: 1 - loss / 3 };
  if (task === 'language') return { loss, perplexity: Math.exp(loss) };
  return { loss, accuracy };
}

/** The events of such a run. */
export function* eventsOf(
  {
    sites = 9,
    drop = 0.5,
    epochs = 15,
    perEpoch = 32,
    seed = 1,
    evaluateEvery = 1,
    accuracy = 0.71,
    gap = 0.05,
    finalLoss = 0.9,
    diverges = Number.POSITIVE_INFINITY,
    status = 'done',
    stopsAt = epochs,
    alarm = false,
    warmup = 0,
    advice = [],
    task = 'classification',
    spikes = [],
    dataWaitMs = 1.5,
  }: SyntheticOptions,
  model: Extract<TrainEvent, { kind: 'fit-start' }>['model'],
): Generator<TrainEvent> {
  const key = deriveKey(rootKey(seed), 'synthetic');
  const total = epochs * perEpoch;
  let elapsedMs = 0;
  const at = (batch: number): Progress => ({
    epoch: Math.floor(batch / perEpoch),
    batch,
    sample: 64 * batch,
    elapsedMs,
    fraction: batch / total,
  });
  yield {
    kind: 'fit-start',
    at: at(0),
    model,
    executions: null,
    totalBatches: total,
    totalEpochs: epochs,
    batchesPerEpoch: perEpoch,
    batchSize: 64,
    microbatches: 1,
    task,
    primary: primaryOf[task],
    algorithms: [{ name: 'label-smoothing', options: { smoothing: 0.1 } }],
    optimizer: 'sgd',
    precision: 'float32',
    channelsLast: false,
    deterministic: true,
    device: 'cpu',
    worldSize: 1,
  };
  for (const message of advice) yield { kind: 'warning', at: at(0), topic: 'advice', message };
  const dropped = model.sites.map(() => 0);
  let factors = 0;
  const durations: [number, boolean][] = [];
  let metrics: Evaluation | null = null;
  const last = Math.floor(stopsAt * perEpoch);
  for (let batch = 1; batch <= last; batch++) {
    const u = uniforms(deriveKey(key, batch), sites + 3);
    let active = 0;
    const factor = warmup === 0 ? 1 : Math.min(1, batch / total / warmup);
    factors += factor;
    model.sites.forEach(({ requested }, i) => {
      const drops = (u[i] ?? 0) < (alarm && i === sites - 1 ? 0.2 : factor * requested);
      if (drops) dropped[i] = (dropped[i] ?? 0) + 1;
      else active += 1;
    });
    const noise = Math.sqrt(-2 * Math.log(1 - (u[sites] ?? 0))) * Math.cos(2 * Math.PI * (u[sites + 1] ?? 0));
    const durationMs =
      6 + 3.6 * active * (1 + 0.035 * noise) + ((u[sites + 2] ?? 0) > 0.985 ? 60 * (u[sites] ?? 0) : 0);
    const waited = dataWaitMs * (1 + 0.3 * noise ** 2);
    elapsedMs += durationMs + waited;
    durations.push([durationMs, active === sites]);
    const t = batch / total;
    const lr = t < 0.3 ? 0.004 + 0.096 * (t / 0.3) : 0.1 * 0.5 * (1 + Math.cos((Math.PI * (t - 0.3)) / 0.7));
    const lost = batch / perEpoch > diverges;
    const spike = spikes.includes(batch);
    const loss = lost ? Number.NaN : finalLoss + 1.5 * Math.exp(-5 * t) + 0.1 * noise + (spike ? 2.5 : 0);
    const read = batch % 10 === 0 || batch === 1 || spike;
    yield {
      kind: 'batch-end',
      at: at(batch),
      loss: read ? loss : null,
      lr,
      durationMs,
      dataWaitMs: waited,
      gradNorm: read ? 1.2 + 3 * Math.exp(-4 * t) + 0.3 * Math.abs(noise) + (spike ? 12 : 0) : null,
      samples: 64,
      active,
      sites,
      factor,
    };
    if (batch % perEpoch === 0)
      yield {
        kind: 'epoch-end',
        at: at(batch),
        trainLoss: loss,
        durationMs: 1400,
        realised: active,
        meanStepMs: durationMs,
        dataWaitMs: perEpoch * dataWaitMs,
        lossScale: null,
      };
    if (batch % (evaluateEvery * perEpoch) === 0) {
      const learnt = 1 - Math.exp(-4 * t);
      const wobble = 0.025 * noise * (1 - t);
      const floor = lost ? Number.NaN : finalLoss;
      const train = metricsOf(task, floor * 0.8 + 1.6 * (1 - learnt), 0.1 + (accuracy + gap - 0.1) * learnt + wobble);
      const validation = metricsOf(
        task,
        floor + 1.4 * (1 - learnt) - wobble,
        0.1 + (accuracy - 0.1) * learnt ** 1.1 + 1.3 * wobble,
      );
      metrics = { train, validation, gap: gapOf(train, validation) };
      elapsedMs += 300;
      yield { kind: 'evaluation', at: at(batch), durationMs: 300, ...metrics };
    }
  }
  if (status === 'running' || status === 'failed') return;
  const median = (values: number[]): number | null => values.sort((a, b) => a - b)[values.length >> 1] ?? null;
  const medianStepMs = median(durations.map(([ms]) => ms));
  yield {
    kind: 'fit-end',
    at: at(last),
    reason: status === 'interrupted' || status === 'stopped' ? status : 'done',
    why: status === 'stopped' ? 'accuracy did not rise for 5 evaluations' : null,
    metrics,
    peakMemoryBytes: 412 * 2 ** 20,
    depth: drop > 0 ? report(model.sites, dropped, last, factors / last) : null,
    factor: 1,
    timing:
      medianStepMs === null
        ? null
        : {
            medianStepMs,
            medianFullStepMs: median(durations.flatMap(([ms, full]) => (full ? [ms] : []))),
            medianDroppedStepMs: median(durations.flatMap(([ms, full]) => (full ? [] : [ms]))),
            totalMs: elapsedMs,
          },
  };
}

function gapOf(train: Metrics, validation: Metrics): Metrics {
  const higher = new Set(['accuracy', 'r2']);
  const difference = (name: string): number => {
    const [a, b] = [train[name] ?? Number.NaN, validation[name] ?? Number.NaN];
    return higher.has(name) ? a - b : b - a;
  };
  const named = Object.fromEntries(Object.keys(train).map((name) => [name, difference(name)]));
  return { ...named, loss: difference('loss') };
}

function report(
  sites: readonly { name: string; requested: number }[],
  dropped: readonly number[],
  opportunities: number,
  factor: number,
): DepthReport {
  const tallies = sites.map(({ name, requested }, i) => ({
    name,
    requested: factor * requested,
    opportunities,
    dropped: dropped[i] ?? 0,
    missed: 0,
    masked: false,
  }));
  const work = { totalFlops: sites.length + 0.1, branchFlops: Object.fromEntries(sites.map(({ name }) => [name, 1])) };
  return depthReport(tallies, { work });
}
