import { TorchError, toTorchError } from '../errors.js';
import { attempt, live, type Tensor } from '../tensor.js';
import { handlesOf } from './handles.js';
import { nativeDistributed } from './native.js';
import { type Backend, requireBackend } from './options.js';
import { Reducer, type ReducerOptions } from './reducer.js';
import { Work } from './work.js';

/** How values of all ranks become one. */
export type ReduceOp = 'sum' | 'avg' | 'max' | 'min';

const reductions: readonly ReduceOp[] = ['sum', 'avg', 'max', 'min'];

/** The groups of one call of `initProcessGroup`. */
interface Family {
  made: number;
  open: number;
}

/**
 * Processes that work on one thing together, from {@link initProcessGroup}. All ranks must start the same operations in the
 * same order; each starts at once and returns a {@link Work} to wait for. An operation that fails ends the group: all that
 * are under way fail, on every rank, with an error that names who is missing.
 */
export class ProcessGroup implements AsyncDisposable {
  readonly #handle: number;
  readonly #family: Family;
  #closed = false;

  /** @param handle from the native side */
  constructor(
    handle: number,
    readonly rank: number,
    readonly size: number,
    readonly backend: Backend,
    family: Family = { made: 0, open: 0 },
  ) {
    this.#handle = handle;
    this.#family = family;
    family.open++;
  }

  /** The number by which operators such as `shallows::sync_batch_norm` know the group in this process. */
  get id(): number {
    return attempt(() => nativeDistributed('ProcessGroup').groupId(this.#handle));
  }

  /**
   * Replaces each tensor by its sum, mean, largest or smallest over ranks, elementwise. Every rank gets the same bits.
   *
   * @param tensors of equal shapes and dtypes on all ranks: float16, bfloat16, float32, float64, int8, uint8, int32 or int64
   */
  allReduce(tensors: Tensor | readonly Tensor[], reduction: ReduceOp = 'sum'): Work {
    const code = reductionCode('allReduce', reduction);
    return this.#start('allReduce', (native, group) => native.allReduce(group, handlesOf('allReduce', tensors), code));
  }

  /** Replaces each tensor by that of rank `from`. */
  broadcast(tensors: Tensor | readonly Tensor[], from = 0): Work {
    return this.#start('broadcast', (native, group) => native.broadcast(group, handlesOf('broadcast', tensors), from));
  }

  /** Writes the input of rank r into `outputs[r]`, for all r. */
  allGather(outputs: readonly Tensor[], input: Tensor): Work {
    return this.#start('allGather', (native, group) =>
      native.allGather(group, handlesOf('allGather', outputs), live(input)),
    );
  }

  /** Writes the reduction over ranks of `inputs[rank]` into `output`: each rank gets a part of an {@link allReduce}. */
  reduceScatter(output: Tensor, inputs: readonly Tensor[], reduction: ReduceOp = 'sum'): Work {
    const code = reductionCode('reduceScatter', reduction);
    return this.#start('reduceScatter', (native, group) =>
      native.reduceScatter(group, live(output), handlesOf('reduceScatter', inputs), code),
    );
  }

  /** Is done once every rank has started it. */
  barrier(): Work {
    return this.#start('barrier', (native, group) => native.barrier(group));
  }

  /**
   * What sums the gradients of these parameters while a backward pass goes on.
   *
   * @param parameters leaves that require a gradient, the same on all ranks, in forward order
   */
  reducer(parameters: readonly Tensor[], options: ReducerOptions = {}): Reducer {
    return Reducer.make(this.#open('reducer'), parameters, options);
  }

  /**
   * Another group of the same ranks, whose operations have an order of their own. All ranks must make it.
   *
   * @param backend of the other group; that of this one where it is left out
   */
  async newGroup(backend: Backend = this.backend): Promise<ProcessGroup> {
    const name = `group-${++this.#family.made}`;
    const native = nativeDistributed('newGroup');
    requireBackend('newGroup', backend, native.backends());
    try {
      const handle = await native.newGroup(this.#open('newGroup'), name, backend);
      return new ProcessGroup(handle, this.rank, this.size, backend, this.#family);
    } catch (error) {
      throw toTorchError(error);
    }
  }

  /**
   * Tells all ranks that this one gives up, with the reason: what they wait for fails at once. Resolves when they can know.
   * The group must then be closed.
   */
  async abort(reason: string): Promise<void> {
    await nativeDistributed('abort').abort(this.#open('abort'), reason);
  }

  /**
   * Frees the group. The last one of an `initProcessGroup` says goodbye to the other ranks, and rank 0 waits some seconds for
   * theirs, as the others need its store. Closing twice is allowed.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#family.open--;
    try {
      await nativeDistributed('close').close(this.#handle, this.#family.open === 0);
    } catch (error) {
      throw toTorchError(error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(fn: string): number {
    if (!this.#closed) return this.#handle;
    throw new TorchError(`${fn}: expected an open process group, got a closed one - make another`);
  }

  #start(fn: string, start: (native: ReturnType<typeof nativeDistributed>, group: number) => number): Work {
    const group = this.#open(fn);
    return new Work(attempt(() => start(nativeDistributed(fn), group)));
  }
}

function reductionCode(fn: string, reduction: ReduceOp): number {
  const code = reductions.indexOf(reduction);
  if (code >= 0) return code;
  throw new TorchError(`${fn}: expected a reduction of ${reductions.join(', ')}, got ${String(reduction)} - name one`);
}
