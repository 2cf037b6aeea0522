import type { Tensor } from './tensor.js';

/**
 * Which rows of a join go through a relu in the same pass: `kept`, those that the branch was added to, while the others stay
 * as the shortcut has them (which then came out of a relu before); `all`; or `none`, the default.
 */
export interface JoinOptions {
  readonly rectify?: 'none' | 'kept' | 'all';
}

/**
 * The operators of this package in libtorch's dispatcher: residual branches that run on part of a batch's rows.
 *
 * A fork gives the branch its rows and the shortcut the whole batch; a join adds the branch's result back. Neither they nor
 * their gradients make a batch of zeros to pad the rows: the gradient of a fork is that of the whole batch with that of the
 * rows added into it, in place where nobody else holds it, and the gradient of a join's shortcut is that of the sum, with
 * zeros where a relu cut it. Of a relu one bit an element is kept, on the CPU in float32 and float64.
 *
 * `x`, `shortcut`: `[B, …]`; `branch`: the same but for its rows, on the same device. A join has the dtype that the two
 * promote to and the shortcut's memory format. Its scale is applied in at least float32, and a half precision sum rounded
 * once. All throw TorchError for rows outside of the batch and for shapes that do not fit.
 */
export interface ResidualOperators {
  /**
   * `[x[start : start + length], x]`: the second shares the memory of `x`. So does the first where it is all rows, or nothing
   * is recorded; else it is a copy, so that what a branch saves for its gradients does not keep the other rows in memory.
   */
  fork_window(x: Tensor, start: number, length: number): [window: Tensor, rest: Tensor];
  /** `[x[index], x]`: the rows that `index`, int64 `[k]`, lists; `rest` shares the memory of `x`. An index on the CPU spares a device a wait. */
  fork_rows(x: Tensor, index: Tensor): [rows: Tensor, rest: Tensor];
  /** `shortcut`, with `scale · branch` added to rows `[start, start + k)`; written in one pass. */
  join_window(shortcut: Tensor, branch: Tensor, start: number, scale: number, options?: JoinOptions): Tensor;
  /** `shortcut`, with `scale · branch` added to the rows that `index`, int64 `[k]`, lists, each at most once. */
  join_rows(shortcut: Tensor, branch: Tensor, index: Tensor, scale: number, options?: JoinOptions): Tensor;
  /**
   * `shortcut`, with `scale · branch` added where `keep`, bool `[B]`, is true. The branch `[B, …]` is selected, not
   * multiplied: NaN in its other rows reaches neither the sum nor a gradient. Kept rows are those of `join_rows` bit for bit.
   */
  join_mask(shortcut: Tensor, branch: Tensor, keep: Tensor, scale: number): Tensor;
}
