import { TorchError } from '../errors.js';
import { attempt, type Tensor } from '../tensor.js';
import { handlesOf } from './handles.js';
import { nativeDistributed } from './native.js';

/** How gradients are put together for sending. */
export interface ReducerOptions {
  /** A bucket is sent once it holds so many bytes, or more. */
  readonly bucketBytes?: number;
  /** The same of the first bucket, which should be on its way early. */
  readonly firstBucketBytes?: number;
  /** A name for each parameter, for messages. */
  readonly names?: readonly string[];
}

/** What is known of a step's gradients before its last backward pass. */
export interface StepGradients {
  /** Parameters that no rank has a gradient of: neither sent nor waited for. All ranks must name the same. */
  readonly absent?: ReadonlySet<Tensor>;
  /** Parameters to which the pass gives no gradient on this rank: it sends those of earlier passes, or zeros. */
  readonly localAbsent?: ReadonlySet<Tensor>;
}

const nothingHere = 1;
const nothing = 2;

/**
 * Sums gradients over the ranks of a group, from {@link ProcessGroup.reducer}. Parameters lie in buckets, the last ones first;
 * as soon as a backward pass has the last gradient of a bucket, the bucket is on its way, while the pass goes on.
 *
 * Nothing is searched for in the graph: what gets no gradient must be told to `beginStep`. A gradient that comes
 * unannounced, or does not come, is an error.
 */
export class Reducer implements Disposable {
  readonly #handle: number;
  readonly #parameters: readonly Tensor[];
  readonly #index: ReadonlyMap<Tensor, number>;
  #disposed = false;

  private constructor(handle: number, parameters: readonly Tensor[]) {
    this.#handle = handle;
    this.#parameters = parameters;
    this.#index = new Map(parameters.map((parameter, i) => [parameter, i]));
  }

  /** Called by {@link ProcessGroup.reducer}. */
  static make(
    group: number,
    parameters: readonly Tensor[],
    { bucketBytes = 25 * 1024 * 1024, firstBucketBytes = 1024 * 1024, names = [] }: ReducerOptions,
  ): Reducer {
    for (const [name, bytes] of Object.entries({ bucketBytes, firstBucketBytes })) {
      if (Number.isSafeInteger(bytes) && bytes > 0) continue;
      throw new TorchError(`reducer: ${name}: expected a whole number from 1, got ${String(bytes)} - give bytes`);
    }
    const from = handlesOf('reducer', parameters);
    const list = [...parameters];
    if (new Set(list).size !== list.length) {
      throw new TorchError('reducer: expected each parameter once, got one twice - list shared parameters once');
    }
    return new Reducer(
      attempt(() => nativeDistributed('reducer').reducer(group, from, names, bucketBytes, firstBucketBytes)),
      list,
    );
  }

  /** Bytes that this rank has given to all-reduces so far. */
  get bytesReduced(): number {
    return this.#reduced()[0] ?? 0;
  }

  /** Buckets of the step that runs, or of the last one. */
  get buckets(): number {
    return this.#reduced()[1] ?? 0;
  }

  /**
   * Makes ready for the backward pass that completes the gradients: the last one of an accumulation.
   *
   * @throws TorchError for a parameter that is not the reducer's, or a step that was not finished
   */
  beginStep({ absent = new Set(), localAbsent = new Set() }: StepGradients = {}): void {
    const expected = new Uint8Array(this.#parameters.length);
    const mark = (tensors: ReadonlySet<Tensor>, name: string, code: number): void => {
      for (const tensor of tensors) {
        const index = this.#index.get(tensor);
        if (index === undefined) {
          throw new TorchError(`beginStep: ${name}: expected parameters of the reducer, got another - leave it out`);
        }
        expected[index] = code;
      }
    };
    mark(localAbsent, 'localAbsent', nothingHere);
    mark(absent, 'absent', nothing);
    attempt(() => nativeDistributed('beginStep').beginStep(this.#handle, expected));
  }

  /**
   * Blocks until every bucket is summed. `grad` then holds the sum over ranks, the same bits on each; a parameter that no
   * rank had a gradient of is left as it is.
   *
   * @throws TorchError where a gradient did not come, or a rank
   */
  finishStep(): void {
    attempt(() => nativeDistributed('finishStep').finishStep(this.#handle));
  }

  /** Takes the hooks off the parameters. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    nativeDistributed('reducer').disposeReducer(this.#handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #reduced(): Float64Array {
    return attempt(() => nativeDistributed('reducer').reduced(this.#handle));
  }
}
