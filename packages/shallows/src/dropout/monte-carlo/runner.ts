import { getNumThreads, noGrad, Replay, scope, type Tensor, TorchError, type TracedCall, trace } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { type AnyModule, monteCarloPass, type Pass, randomPlaceSlot, rowKeysSlot, spreadSlot } from '../../nn/index.js';
import { deriveKey } from '../../random/index.js';
import { drawsUnkeyed } from '../inventory/random-calls.js';
import { activeDropoutsSlot } from '../rate.js';
import { type RandomDepth, withRandomDepth } from './depth.js';
import type { MaskKeys } from './keys.js';
import { withGlobalSeed } from './unkeyed.js';

/** What a runner runs. */
export interface RunnerOptions {
  readonly forward: (pass: Pass) => Tensor;
  /** Whose verdicts are remembered. */
  readonly model: AnyModule;
  readonly rows: number;
  /** The shape of what goes in. */
  readonly shape: readonly number[];
  readonly keys: MaskKeys;
  readonly depth: RandomDepth;
  /** Names of the only places that are random; null for all. */
  readonly active: ReadonlySet<string> | null;
  /** Whether passes that run together must give what they give alone, to the last bit. */
  readonly exact: boolean;
  /** Whether how many rows a layer runs on depends on the draws: its kernels may then round otherwise in a larger batch. */
  readonly rowsVary: boolean;
  /** What the operators after the first random place may put out in one call. */
  readonly memoryBytes: number;
}

/** How the passes were run. */
export interface PassFacts {
  /** The first random place: all before it ran once. Null where it could not be told from what follows. */
  readonly split: string | null;
  /** Operator calls before and after it, in one pass. */
  readonly operators: { readonly before: number; readonly after: number };
  /** Passes that ran together in the largest call. */
  readonly together: number;
  /** Forward calls in all. */
  readonly calls: number;
  /** Why passes ran one by one, where they did. */
  readonly why: string | null;
}

/** Whether passes that ran together gave what they give alone, by all that decides which kernels run: it is not tried again. */
const verdicts = new WeakMap<AnyModule, Map<string, boolean>>();

/**
 * Runs the passes of a Monte-Carlo prediction. What comes before the first random place is computed by the first pass and
 * remembered; what follows runs for as many passes at once as memory allows, as one batch of all their rows.
 */
export class PassRunner implements Disposable {
  readonly #options: RunnerOptions;
  readonly #replay = new Replay();
  #split: string | null = null;
  #places = 0;
  #before = 0;
  #after = 0;
  #bytes = 0;
  #calls = 0;
  #most = 1;
  #isUnkeyed = false;
  /** The dtype and the device of what comes out. */
  #kind = '';
  #why: string | null = null;

  constructor(options: RunnerOptions) {
    this.#options = options;
    if (options.exact && options.rowsVary) this.#why = 'dropped layers run on other rows in each pass';
  }

  /**
   * Pass 0 as it is: says where the first random place is, and what the rest takes.
   *
   * @throws ShallowsError where the pass is not random at all
   */
  first(): Tensor {
    const { result, calls } = noGrad(() =>
      trace(() => this.#whole(() => this.#replay.record(() => this.#forward([0])))),
    );
    this.#kind = `${result.dtype} ${result.device}`;
    this.#isUnkeyed = calls.some(drawsUnkeyed);
    if (this.#places === 0 && !this.#isUnkeyed) throw nothingRandom(this.#options);
    this.#before = this.#replay.isMarked && !this.#isUnkeyed ? this.#replay.length : 0;
    const rest = calls.slice(this.#before);
    this.#after = rest.length;
    this.#bytes = outputBytes(rest);
    if (this.#isUnkeyed) {
      const [call] = calls.filter(drawsUnkeyed);
      this.#why = `${call?.op ?? 'an operator'} draws without a key: passes run one by one, whole, each from a seed`;
      this.#replay.dispose();
      this.#split = null;
      // The first run drew from wherever the generator was.
      result.dispose();
      return this.#alone(0);
    }
    return result;
  }

  /** Passes `[from, to)` as tensors of `[rows, …]` each. `alone` is what {@link first} gave. */
  passes(from: number, to: number, alone: Tensor): readonly Tensor[] {
    const wanted = Array.from({ length: to - from }, (_, i) => from + i);
    const done: Tensor[] = [];
    for (let i = 0; i < wanted.length; ) {
      const chunk = wanted.slice(i, i + this.#room());
      const got = chunk.length === 1 ? [this.#alone(chunk[0] as number)] : this.#together(chunk, alone);
      if (got === null) continue;
      done.push(...got);
      i += got.length;
    }
    return done;
  }

  facts(): PassFacts {
    const operators = { before: this.#before, after: this.#after };
    return { split: this.#split, operators, together: this.#most, calls: this.#calls, why: this.#why };
  }

  [Symbol.dispose](): void {
    this.#replay.dispose();
  }

  #limit = Number.POSITIVE_INFINITY;

  /** How many passes may run at once. */
  #room(): number {
    if (this.#why !== null) return 1;
    const { memoryBytes } = this.#options;
    return Math.max(1, Math.min(this.#limit, Math.floor(memoryBytes / Math.max(1, this.#bytes))));
  }

  #alone(t: number): Tensor {
    return noGrad(() => this.#whole(() => this.#resumed(() => this.#forward([t])), t));
  }

  /**
   * Several passes as one batch; null where that cannot be, and is not tried again. In the first batch of a size pass 0 runs
   * once more in the place of the last, where it must give what it gave alone.
   */
  #together(passes: readonly number[], alone: Tensor): readonly Tensor[] | null {
    const { exact, rows } = this.#options;
    const verdict = exact ? this.#verdict(passes.length) : true;
    if (verdict === false) return this.#oneByOne('passes together differ in the last bits');
    const mustProve = verdict === undefined;
    const run = mustProve ? [...passes.slice(0, -1), 0] : passes;
    try {
      const parts = noGrad(() =>
        scope(() => {
          const all = this.#resumed(() => this.#forward(run));
          if (all.shape[0] !== rows * run.length) {
            throw new ShallowsError(`expected ${rows * run.length} rows, got [${all.shape.join(', ')}]`);
          }
          const given = all.reshape([run.length, rows, ...all.shape.slice(1)]).unbind(0);
          if (!mustProve) return given;
          return given.at(-1)?.equal(alone) === true ? given.slice(0, -1) : null;
        }),
      );
      if (mustProve) this.#remember(run.length, parts !== null);
      if (parts === null) return this.#oneByOne('passes together differ in the last bits');
      this.#most = Math.max(this.#most, run.length);
      return parts;
    } catch (error) {
      if (isOutOfMemory(error) && passes.length > 1) {
        this.#limit = Math.ceil(passes.length / 2);
        return null;
      }
      return this.#oneByOne(error instanceof Error ? error.message : String(error));
    }
  }

  #oneByOne(why: string): null {
    this.#why = why;
    return null;
  }

  #verdict(passes: number): boolean | undefined {
    return verdicts.get(this.#options.model)?.get(this.#size(passes));
  }

  #remember(passes: number, isEqual: boolean): void {
    const { model } = this.#options;
    const known = verdicts.get(model) ?? new Map<string, boolean>();
    verdicts.set(model, known.set(this.#size(passes), isEqual));
  }

  /** What runs in a call: other random places leave other operators after the first of them. */
  #size(passes: number): string {
    const rest = `${this.#after} operators from ${this.#split ?? 'the start'}`;
    return `${this.#options.shape.join('×')} ${this.#kind}, ${passes} passes, ${rest}, ${getNumThreads()} threads`;
  }

  /** Runs what follows the first random place; all of it where what comes before is not remembered. */
  #resumed(run: () => Tensor): Tensor {
    if (!this.#replay.isMarked) return run();
    if (!this.#replay.isIntact) {
      this.#replay.dispose();
      this.#before = 0;
      return run();
    }
    return this.#replay.run(run);
  }

  /** Operators that draw without a key draw from a seed of the pass. */
  #whole(run: () => Tensor, t = 0): Tensor {
    return this.#isUnkeyed ? withGlobalSeed(deriveKey(this.#options.keys.key, 'unkeyed', t), run) : run();
  }

  #forward(passes: readonly number[]): Tensor {
    this.#calls++;
    const pass = this.passAt(passes);
    return scope(() => this.#options.forward(pass));
  }

  /** The pass that stands for some passes at once. */
  passAt(passes: readonly number[]): Pass {
    const { rows, keys, depth, active } = this.#options;
    const rowKeys = passes.flatMap((t) => [...keys.rowsAt(t)]);
    let pass = monteCarloPass({ key: keys.key })
      .with(rowKeysSlot, rowKeys)
      .with(spreadSlot, { rows, passes: passes.length })
      .with(randomPlaceSlot, (name) => this.#reached(name));
    if (active !== null) pass = pass.with(activeDropoutsSlot, active);
    const isActive = (name: string): boolean => active === null || active.has(name);
    return withRandomDepth(pass, depth, rowKeys, isActive);
  }

  #reached(name: string): void {
    if (this.#places === 0) this.#split = name;
    this.#places++;
    this.#replay.mark();
  }
}

function outputBytes(calls: readonly TracedCall[]): number {
  const size = (dtype: string): number => (dtype.endsWith('64') ? 8 : dtype.endsWith('16') ? 2 : 4);
  return calls.reduce(
    (sum, { outputs }) =>
      sum + outputs.reduce((bytes, { shape, dtype }) => bytes + shape.reduce((a, b) => a * b, size(dtype)), 0),
    0,
  );
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof TorchError && /out of memory|not enough memory/i.test(error.message);
}

function nothingRandom({ active }: RunnerOptions): ShallowsError {
  return new ShallowsError(
    active === null
      ? 'monteCarlo: expected a model with something random in it, got one without - give it dropouts with a rate above 0, or a ' +
          'policy of stochastic depth'
      : 'monteCarlo: expected a random place among the chosen sites, got none with a rate above 0 - look at inventory(model)',
  );
}
