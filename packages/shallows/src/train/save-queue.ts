import type { CheckpointFacts, Progress, TrainEvent } from './events.js';

type CheckpointEvent = Extract<TrainEvent, { kind: 'checkpoint' }>;

/** Snapshots that are being saved while the run goes on, and those whose saving has ended and was not told yet. */
export class SaveQueue {
  readonly #running = new Set<Promise<void>>();
  #ended: CheckpointEvent[] = [];

  /** Whether there is something to tell. */
  get hasNews(): boolean {
    return this.#ended.length > 0;
  }

  /** Follows a save to its end. What goes wrong with it is told, and never thrown. */
  follow(name: string, at: Progress, start: number, stallMs: number, saving: Promise<CheckpointFacts>): void {
    const told = (facts: CheckpointFacts | null, failure: string | null): void => {
      const saveMs = performance.now() - start;
      const { path = null, bytes = null } = facts ?? {};
      this.#ended.push({ kind: 'checkpoint', at, name, path, bytes, saveMs, stallMs, failure });
    };
    const following = saving.then(
      (facts) => told(facts, null),
      (error: unknown) => told(null, error instanceof Error ? error.message : String(error)),
    );
    this.#running.add(following);
    void following.then(() => this.#running.delete(following));
  }

  /** The saves that ended since this was last asked. */
  take(): readonly CheckpointEvent[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** Resolves once no save is running. */
  async wait(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
