import { fromTypedArray, keep, noGrad, Operator, scope, type Tensor } from '@shallows/torch';

const add_ = new Operator('aten::add_', 'Tensor');
const cat = new Operator('aten::cat');

/** @internal Float64 sums on the device of what is added; nothing waits for the device before `take`. */
export class DeviceSums {
  #sums: Tensor | null = null;

  /** @param length how many sums there are */
  constructor(readonly length: number) {}

  /**
   * Adds one batch's sums.
   *
   * @param sums of the batch, float64 vectors that have `length` elements together
   */
  add(sums: () => readonly Tensor[]): void {
    noGrad(() =>
      scope(() => {
        const batch = cat.call([sums()]) as Tensor;
        this.#sums ??= keep(fromTypedArray(new Float64Array(this.length), [this.length], { device: batch.device }));
        add_.call([this.#sums, batch]);
      }),
    );
  }

  /** The sums, read back at once; they start anew. */
  take(): readonly number[] {
    if (this.#sums === null) return new Array<number>(this.length).fill(0);
    using sums = this.#sums;
    this.#sums = null;
    return Array.from(sums.toArray(), Number);
  }
}
