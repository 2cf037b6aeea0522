import { fromTypedArray, gradsOf, noGrad, scope, type Tensor } from '@shallows/torch';
import type { Parameter } from '../../packages/shallows/src/nn/index.js';
import type { ExpectedGradients, Parallel } from '../../packages/shallows/src/train/index.js';

/** What a rank of {@link localRanks} was told. */
export interface LocalRank extends Parallel {
  /** Of each step: how many parameters no rank has a gradient of, and how many this one alone has none of. */
  readonly expected: { readonly absent: number; readonly localAbsent: number }[];
}

/**
 * Ranks within one process, for trainers that run side by side: gradients and numbers are added up once every rank has
 * come. A gradient that was not announced as absent and is not there is an error.
 */
export function localRanks(size: number): readonly LocalRank[] {
  const sums = new Meeting<readonly number[]>(size);
  const steps = new Meeting<readonly (readonly number[] | null)[]>(size);
  return Array.from({ length: size }, (_, rank) => {
    let parameters: readonly Parameter[] = [];
    let expect: ExpectedGradients | null = null;
    let before: ReadonlyMap<Parameter, string> = new Map();
    const expected: { absent: number; localAbsent: number }[] = [];
    let bytesReduced = 0;
    const sum = async (values: readonly number[]): Promise<readonly number[]> => {
      const all = await sums.come(rank, values);
      return values.map((_value, i) => all.reduce((total, each) => total + (each[i] ?? Number.NaN), 0));
    };
    return {
      rank,
      size,
      expected,
      get bytesReduced() {
        return bytesReduced;
      },
      start(all) {
        parameters = all;
      },
      beginStep(next) {
        expect = next;
        expected.push({ absent: next.absent.size, localAbsent: next.localAbsent.size });
        scope(() => {
          before = new Map([...next.localAbsent].map((parameter) => [parameter, bitsOf(parameter.grad)]));
        });
      },
      async finishStep() {
        const { absent, localAbsent } = expect ?? { absent: new Set(), localAbsent: new Set() };
        const own = scope(() =>
          gradsOf(parameters).map((grad, i) => {
            const parameter = parameters[i] as Parameter;
            // What an earlier microbatch gave is there, and the last one must not have added to it.
            const isWrong = localAbsent.has(parameter)
              ? bitsOf(grad) !== before.get(parameter)
              : absent.has(parameter) !== (grad === null);
            if (isWrong)
              throw new Error(
                `rank ${rank}: parameter ${i} has ${grad === null ? 'no' : 'a'} gradient that was not expected`,
              );
            if (absent.has(parameter)) return null;
            return grad === null
              ? Array.from({ length: parameter.numel }, () => 0)
              : Array.from(grad.toArray(), Number);
          }),
        );
        expect = null;
        const all = await steps.come(rank, own);
        noGrad(() =>
          scope(() => {
            for (const [i, parameter] of parameters.entries()) {
              const parts = all.map((each) => each[i] ?? null);
              if (parts.some((part) => part === null) !== parts.every((part) => part === null))
                throw new Error(`parameter ${i}: ranks do not agree whether it is absent`);
              const first = parts[0];
              if (first == null) continue;
              bytesReduced += 4 * first.length;
              const total = first.map((_, at) => parts.reduce((whole, part) => whole + (part?.[at] ?? 0), 0));
              parameter.grad = fromTypedArray(Float32Array.from(total), parameter.shape);
            }
          }),
        );
      },
      sum,
      barrier: async () => void (await sum([])),
      close: () => Promise.resolve(),
    };
  });
}

function bitsOf(tensor: Tensor | null): string {
  return tensor === null ? '' : Buffer.from(tensor.toBytes()).toString('base64');
}

/** Gives everyone what all brought, once all have come; then again. */
class Meeting<T> {
  readonly #size: number;
  #brought = new Map<number, T>();
  #waiting: ((all: readonly T[]) => void)[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  come(rank: number, value: T): Promise<readonly T[]> {
    if (this.#brought.has(rank)) throw new Error(`rank ${rank} came twice`);
    this.#brought.set(rank, value);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#brought.size < this.#size) return;
      const all = Array.from({ length: this.#size }, (_, each) => this.#brought.get(each) as T);
      const waiting = this.#waiting;
      this.#brought = new Map();
      this.#waiting = [];
      for (const each of waiting) each(all);
    });
  }
}
