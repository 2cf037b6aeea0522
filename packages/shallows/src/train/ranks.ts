import { fromTypedArray, noGrad, ops, scope } from '@shallows/torch';
import type { Module } from '../nn/index.js';
import type { Parallel } from './parallel.js';

/** What one rank knows of the others; a world of one where there are none. */
export class Ranks {
  readonly rank: number;
  readonly size: number;

  constructor(readonly parallel: Parallel | null) {
    this.rank = parallel?.rank ?? 0;
    this.size = parallel?.size ?? 1;
  }

  /** Whether this rank speaks for all. */
  get leads(): boolean {
    return this.rank === 0;
  }

  /** Number of a rank's first row in a global batch: rank r of n has the rows from ⌊r·B/n⌋ up to ⌊(r + 1)·B/n⌋. */
  firstRow(rows: number, rank = this.rank): number {
    return Math.floor((rank * rows) / this.size);
  }

  /** Rows of a global batch that each rank has. */
  rowsOf(rows: number): readonly number[] {
    return Array.from({ length: this.size }, (_, rank) => this.firstRow(rows, rank + 1) - this.firstRow(rows, rank));
  }

  /** Sums of numbers over ranks. */
  async sum(values: readonly number[]): Promise<readonly number[]> {
    return this.parallel === null ? values : this.parallel.sum(values);
  }

  /** Rank 0's numbers, on every rank. */
  async fromFirst(values: readonly number[]): Promise<readonly number[]> {
    return this.sum(this.leads ? values : values.map(() => 0));
  }

  /** Gives every rank the buffers of rank 0, such as running means: those are the model's. */
  async shareBuffers(model: Module): Promise<void> {
    if (this.parallel === null) return;
    const buffers = Array.from(model.namedBuffers(), ([, buffer]) => buffer);
    const values = buffers.flatMap((buffer) => Array.from(buffer.toArray(), Number));
    const first = await this.fromFirst(values);
    if (this.leads) return;
    let at = 0;
    noGrad(() =>
      scope(() => {
        for (const buffer of buffers) {
          const { numel } = buffer;
          const own = Float64Array.from(first.slice(at, at + numel));
          ops.aten.copy_(buffer, fromTypedArray(own, buffer.shape));
          at += numel;
        }
      }),
    );
  }
}
