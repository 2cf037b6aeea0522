import { keep, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import type { Module } from '../../nn/index.js';

const clone = new Operator('aten::clone');
const toDtype = new Operator('aten::to', 'dtype');
const lerp_ = new Operator('aten::_foreach_lerp_', 'Scalar');
const copyAll_ = new Operator('aten::_foreach_copy_');

/** Options of {@link WeightAverage}. */
export interface WeightAverageOptions {
  /** Whether buffers with numbers, such as running means, are averaged too, or taken as they are. Counts are always taken. */
  readonly buffers?: 'average' | 'copy';
}

/**
 * An average of a model's weights beside them: a ← a + w·(x − a) for each weight x at each update. Averages of 16-bit weights are
 * kept in 32. On fused operators, without waiting for the device.
 *
 * `swapIn()` puts the average into the model and remembers what was there, `swapOut()` puts that back, bit for bit.
 */
export class WeightAverage {
  readonly #keys: readonly string[];
  readonly #own: readonly Tensor[];
  readonly #averages: readonly Tensor[];
  /** Positions of what is averaged, and among them of what has 16 bits; all else is copied. */
  readonly #averaged: readonly number[];
  readonly #copied: readonly number[];
  readonly #narrow: ReadonlySet<number>;
  #saved: readonly Tensor[] | null = null;

  /** Starts from the model's weights as they are. */
  constructor(model: Module, { buffers = 'average' }: WeightAverageOptions = {}) {
    const parameters = [...model.namedParameters()];
    const entries = [...parameters, ...model.namedBuffers()];
    this.#keys = entries.map(([key]) => key);
    this.#own = entries.map(([, tensor]) => tensor);
    const dtypes = this.#own.map(({ dtype }) => dtype);
    const positions = [...dtypes.keys()];
    const isAveraged = (i: number): boolean =>
      /^(float|bfloat)/.test(dtypes[i] ?? '') && (i < parameters.length || buffers === 'average');
    this.#averaged = positions.filter(isAveraged);
    this.#copied = positions.filter((i) => !isAveraged(i));
    this.#narrow = new Set(positions.filter((i) => dtypes[i] === 'float16' || dtypes[i] === 'bfloat16'));
    this.#averages = noGrad(() =>
      this.#own.map((each, i) => keep(this.#narrow.has(i) ? widened(each) : (clone.call([each]) as Tensor))),
    );
  }

  /** Whether the average stands in the model. */
  get swapped(): boolean {
    return this.#saved !== null;
  }

  /** The averages by the keys of the model's state: this object's own tensors. */
  tensors(): Record<string, Tensor> {
    return Object.fromEntries(this.#keys.map((key, i) => [key, this.#averages[i] as Tensor]));
  }

  /**
   * Moves the average towards the model's weights.
   *
   * @param weight w in [0, 1]; 1 takes the weights as they are
   */
  update(weight: number): void {
    this.#requireSwapped('update', false);
    const at = (list: readonly Tensor[], positions: readonly number[]): readonly Tensor[] =>
      positions.map((i) => list[i] as Tensor);
    noGrad(() =>
      scope(() => {
        const sources = this.#averaged.map((i) => {
          const own = this.#own[i] as Tensor;
          return this.#narrow.has(i) ? widened(own) : own;
        });
        if (sources.length > 0) lerp_.call([at(this.#averages, this.#averaged), sources, weight]);
        if (this.#copied.length > 0) copyAll_.call([at(this.#averages, this.#copied), at(this.#own, this.#copied)]);
      }),
    );
  }

  /** @throws ShallowsError where the average stands in the model already */
  swapIn(): void {
    this.#requireSwapped('swapIn', false);
    noGrad(() => {
      this.#saved = this.#own.map((each) => keep(clone.call([each]) as Tensor));
      copyAll_.call([this.#own, this.#averages]);
    });
  }

  /** @throws ShallowsError where the average does not stand in the model */
  swapOut(): void {
    this.#requireSwapped('swapOut', true);
    noGrad(() => copyAll_.call([this.#own, this.#saved]));
    this.#forget();
  }

  /** Leaves the average in the model for good. */
  adopt(): void {
    if (this.#saved === null) noGrad(() => copyAll_.call([this.#own, this.#averages]));
    this.#forget();
  }

  /**
   * Takes a copy of averages, by the keys of the model's state.
   *
   * @throws ShallowsError where keys or shapes differ: all at once
   */
  load(tensors: Readonly<Record<string, Tensor>>): void {
    const problems: string[] = [];
    for (const [i, key] of this.#keys.entries()) {
      const { [key]: given } = tensors;
      const wanted = (this.#averages[i] as Tensor).shape.join(', ');
      if (given === undefined) problems.push(`${key}: expected a tensor, got none`);
      else if (given.shape.join(', ') !== wanted)
        problems.push(`${key}: expected shape [${wanted}], got [${given.shape.join(', ')}]`);
    }
    for (const key of Object.keys(tensors)) {
      if (!this.#keys.includes(key)) problems.push(`${key}: expected a key of the model, got another`);
    }
    if (problems.length > 0) {
      throw new ShallowsError(
        `WeightAverage.load: expected the average of such a model - see each key:\n  ${problems.slice(0, 20).join('\n  ')}`,
      );
    }
    noGrad(() => copyAll_.call([this.#averages, this.#keys.map((key) => tensors[key])]));
  }

  /** Frees the averages. */
  dispose(): void {
    this.#forget();
    for (const each of this.#averages) each.dispose();
  }

  #forget(): void {
    for (const each of this.#saved ?? []) each.dispose();
    this.#saved = null;
  }

  #requireSwapped(fn: string, expected: boolean): void {
    if (this.swapped === expected) return;
    const [wanted, got] = expected ? ['in the model', 'beside it'] : ['beside the model', 'in it'];
    throw new ShallowsError(
      `WeightAverage.${fn}: expected the average ${wanted}, got it ${got} - call swapIn and swapOut in turn`,
    );
  }
}

function widened(tensor: Tensor): Tensor {
  return toDtype.call([tensor, 'float32']) as Tensor;
}
