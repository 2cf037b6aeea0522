import type { Evaluation } from '../events.js';

type Numbers = Readonly<Record<string, number>>;

/** The metrics of an evaluation by one name each: `train.loss`, `validation.accuracy`, `gap.loss`. */
export function flatMetrics({ train, validation, gap }: Evaluation): Numbers {
  const named = (side: string, metrics: Numbers): [string, number][] =>
    Object.entries(metrics).map(([name, value]) => [`${side}.${name}`, value]);
  return Object.fromEntries([...named('train', train), ...named('validation', validation), ...named('gap', gap)]);
}

/** The metrics of the state that was saved last: they may come after it was saved, with the evaluation of that batch. */
export class StateMetrics {
  #measured: { readonly batch: number; readonly metrics: Numbers } | null = null;
  #awaited: { readonly batch: number; readonly resolve: (metrics: Numbers) => void } | null = null;

  /** What is known of the state after a batch; nothing where it was not evaluated. */
  known(batch: number): Numbers {
    return this.#measured?.batch === batch ? this.#measured.metrics : {};
  }

  /** What becomes known of it before the run goes on. */
  awaited(batch: number): Numbers | Promise<Numbers> {
    if (this.#measured?.batch === batch) return this.#measured.metrics;
    this.settle();
    return new Promise((resolve) => {
      this.#awaited = { batch, resolve };
    });
  }

  measured(batch: number, metrics: Numbers): void {
    this.#measured = { batch, metrics };
    this.settle();
  }

  /** The run goes on: what was not measured will not be. */
  settle(): void {
    const awaited = this.#awaited;
    this.#awaited = null;
    awaited?.resolve(this.known(awaited.batch));
  }
}
