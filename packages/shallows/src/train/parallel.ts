import type { Parameter, Pass } from '../nn/index.js';

/** What is known of the gradients of one step before its backward pass, from the plans of all ranks. */
export interface ExpectedGradients {
  /** Parameters that get a gradient on no rank: neither sent nor waited for. */
  readonly absent: ReadonlySet<Parameter>;
  /**
   * Parameters that the last backward pass gives none here, though some pass of some rank does: this rank adds those of its
   * earlier passes, or zeros.
   */
  readonly localAbsent: ReadonlySet<Parameter>;
}

/**
 * Ranks that train one model together: each runs its rows of the global batch, and their gradients are summed.
 *
 * Each loss is weighted by rows / rows of the global batch, so that the sum over ranks and microbatches is the gradient of
 * the mean over the global batch. All ranks call the same methods in the same order.
 */
export interface Parallel {
  /** This process, from 0 to size − 1. */
  readonly rank: number;
  /** How many processes there are. */
  readonly size: number;
  /** Bytes of gradients that this rank has given to all-reduces. */
  readonly bytesReduced: number;
  /** Gives every rank the values of rank 0, and lays the parameters out in buckets. */
  start(parameters: readonly Parameter[]): void;
  /** Before the last microbatch's backward pass: each bucket is all-reduced once it is full, while backward goes on. */
  beginStep(expect: ExpectedGradients): void;
  /** Waits for the step's all-reduces. Gradients are then the sum over ranks. */
  finishStep(): void | Promise<void>;
  /** A training pass as it is on ranks, such as one whose batch norm takes its statistics from all of them. */
  pass?(own: Pass): Pass;
  /** Tells the other ranks that this one gives up, and why: what they wait for fails with that. */
  abort?(reason: string): Promise<void>;
  /** Adds up numbers over ranks, in double precision. */
  sum(values: readonly number[]): Promise<readonly number[]>;
  /** Resolves once every rank is here. */
  barrier(): Promise<void>;
  /** Ends the group. What is under way on other ranks fails. */
  close(): Promise<void>;
}
