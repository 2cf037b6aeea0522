import {
  initProcessGroup,
  keep,
  type ProcessGroup,
  type Reducer,
  syncBatchNorm,
  type Tensor,
  tensor,
} from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { type BatchNormState, type Module, type Parameter, type Pass, syncBatchNormSlot } from '../../nn/index.js';
import type { ExpectedGradients, Parallel } from '../parallel.js';
import { alone } from './alone.js';
import { readRanks } from './environment.js';
import type { RankPlace } from './rank-place.js';

/** Options of {@link dataParallel}. */
export interface DataParallelOptions {
  /** Which rank this is: from the environment, see `readRanks`, unless written by hand. Null is a world of one. */
  readonly place?: (Pick<RankPlace, 'rank' | 'size' | 'master'> & Partial<RankPlace>) | null;
  /** How long ranks wait for each other, in milliseconds; 10 minutes unless said here or there. Dead ones are found much sooner. */
  readonly timeoutMs?: number;
  /** What carries gradients: `gloo` between CPUs, `nccl` between CUDA devices. */
  readonly backend?: 'gloo' | 'nccl';
  /** Gradients are sent in buckets of about so many bytes. */
  readonly bucketBytes?: number;
  /** The same of the first bucket. */
  readonly firstBucketBytes?: number;
  /** Whether batch norm takes its statistics from this rank's rows, or from those of all ranks. */
  readonly batchNorm?: 'local' | 'synchronised';
  /** Gives errors the names of parameters. */
  readonly model?: Module;
}

/** A {@link Parallel} over processes. */
export interface DataParallel extends Parallel {
  /** Blocks until the step's all-reduces are over, at most for the timeout. */
  finishStep(): void;
  /** A training pass with the batch norm that was asked for. */
  pass(own: Pass): Pass;
  /** Tells the other ranks that this one gives up, and why: what they wait for fails with that. Close afterwards. */
  abort(reason: string): Promise<void>;
}

/**
 * Joins the ranks of a job, to train one model together: resolves once all are there. A process that is alone gets a world
 * of one, in which nothing is sent.
 *
 * Three groups of the same processes carry gradients, numbers and batch statistics, each in an order of its own: a bucket
 * may be under way while a sum is asked for.
 *
 * @throws ShallowsError for an environment that says half of what it must; TorchError for ranks that do not come in time, which it names, and a libtorch without process groups
 */
export async function dataParallel(options: DataParallelOptions = {}): Promise<DataParallel> {
  const { place = readRanks(), backend = 'gloo', batchNorm = 'local' } = options;
  if (batchNorm !== 'local' && batchNorm !== 'synchronised') {
    throw new ShallowsError(
      `dataParallel: batchNorm: expected 'local' or 'synchronised', got ${String(batchNorm)} - leave it out for 'local'`,
    );
  }
  if (place === null) return alone;
  const timeoutMs = options.timeoutMs ?? place.timeoutMs ?? undefined;
  const shared = {
    rank: place.rank,
    size: place.size,
    master: place.master,
    storeOutside: place.storeOutside ?? false,
    prefix: `shallows-${place.attempt ?? '0'}`,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  const gradients = await initProcessGroup({ ...shared, backend });
  try {
    const statistics = batchNorm === 'synchronised' ? await gradients.newGroup() : null;
    // Numbers are on the CPU.
    const numbers = await gradients.newGroup('gloo');
    return new ProcessGroups(gradients, numbers, statistics, options);
  } catch (error) {
    await gradients.close();
    throw error;
  }
}

class ProcessGroups implements DataParallel {
  readonly rank: number;
  readonly size: number;
  readonly #gradients: ProcessGroup;
  readonly #numbers: ProcessGroup;
  readonly #statistics: ProcessGroup | null;
  readonly #options: DataParallelOptions;
  #reducer: Reducer | null = null;
  #learnt: ReadonlySet<Tensor> = new Set();
  #layers: ReadonlyMap<Tensor, number> = new Map();
  #earlierBytes = 0;

  constructor(
    gradients: ProcessGroup,
    numbers: ProcessGroup,
    statistics: ProcessGroup | null,
    options: DataParallelOptions,
  ) {
    this.rank = gradients.rank;
    this.size = gradients.size;
    this.#gradients = gradients;
    this.#numbers = numbers;
    this.#statistics = statistics;
    this.#options = options;
  }

  get bytesReduced(): number {
    return this.#earlierBytes + (this.#reducer?.bytesReduced ?? 0);
  }

  start(parameters: readonly Parameter[]): void {
    const { bucketBytes, firstBucketBytes, model } = this.#options;
    this.#earlierBytes = this.bytesReduced;
    this.#reducer?.dispose();
    this.#reducer = null;
    if (parameters.length > 0) this.#gradients.broadcast(parameters).waitSync();
    const learnt = parameters.filter(({ requiresGrad }) => requiresGrad);
    this.#learnt = new Set(learnt);
    this.#layers = new Map(parameters.map((parameter, i) => [parameter, i]));
    // Alone, gradients are sums already.
    if (this.size === 1 || learnt.length === 0) return;
    const names = new Map(
      model === undefined ? [] : Array.from(model.namedParameters(), ([key, value]) => [value, key]),
    );
    this.#reducer = this.#gradients.reducer(learnt, {
      ...(bucketBytes === undefined ? {} : { bucketBytes }),
      ...(firstBucketBytes === undefined ? {} : { firstBucketBytes }),
      names: learnt.map((parameter, i) => names.get(parameter) ?? `parameter ${i}`),
    });
  }

  beginStep({ absent, localAbsent }: ExpectedGradients): void {
    const learnt = (parameters: ReadonlySet<Parameter>): Set<Tensor> =>
      new Set([...parameters].filter((parameter) => this.#learnt.has(parameter)));
    this.#reducer?.beginStep({ absent: learnt(absent), localAbsent: learnt(localAbsent) });
  }

  finishStep(): void {
    this.#reducer?.finishStep();
  }

  sum(values: readonly number[]): Promise<readonly number[]> {
    return heard(this.#sum(values));
  }

  barrier(): Promise<void> {
    return heard(this.#numbers.barrier().wait());
  }

  pass(own: Pass): Pass {
    const group = this.#statistics;
    if (group === null) return own;
    return own.with(syncBatchNormSlot, (x: Tensor, state: BatchNormState) =>
      syncBatchNorm(x, { group, ...state, layer: (this.#layers.get(state.weight) ?? -1) + 1 }),
    );
  }

  async #sum(values: readonly number[]): Promise<readonly number[]> {
    if (values.length === 0) {
      await this.barrier();
      return [];
    }
    // It outlives the scope that this may be called in.
    const total = keep(tensor(values, { dtype: 'float64' }));
    try {
      await this.#numbers.allReduce(total).wait();
      return Array.from(total.toArray(), Number);
    } finally {
      total.dispose();
    }
  }

  async abort(reason: string): Promise<void> {
    await this.#gradients.abort(reason);
  }

  async close(): Promise<void> {
    this.#earlierBytes = this.bytesReduced;
    this.#reducer?.dispose();
    this.#reducer = null;
    await this.#statistics?.close();
    await this.#numbers.close();
    await this.#gradients.close();
  }
}

/** Where ranks are lost all that is under way fails at once: who waits for something else hears of it there. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
