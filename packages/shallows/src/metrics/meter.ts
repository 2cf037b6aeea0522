import type { Tensor } from '@shallows/torch';

/** What was measured over a set: the loss, and numbers by name, such as `accuracy`. Plain JSON data. */
export interface Metrics {
  /** Mean loss over the rows, in nats where it is a cross entropy. */
  readonly loss: number;
  readonly [name: string]: number;
}

/**
 * Collects sums over batches on the device of the outputs. Sums add up: over batches, and over ranks that measured
 * different rows.
 */
export interface Meter {
  /** Counts a batch. Does not wait for the device. */
  add(outputs: Tensor, targets: Tensor): void;
  /** The sums so far, read back at once; the meter is then empty again. All zeros where no row was added. */
  take(): readonly number[];
}

/** Makes meters of one kind, and reads what they summed up. */
export interface MeterKind {
  /** An empty meter. */
  create(): Meter;
  /**
   * The metrics of sums from `take`, or of several of them added up.
   *
   * @throws ShallowsError where no row was added
   */
  metrics(sums: readonly number[]): Metrics;
}
