/** What saving cost so far. */
export interface SaveStatistics {
  /** Checkpoints that were written. */
  readonly saves: number;
  readonly failures: number;
  /** Saves that a newer one replaced before they were written. */
  readonly superseded: number;
  /** Of the last checkpoint; 0 before the first. */
  readonly bytes: number;
  /** How long the last save kept the caller: the copy. 0 before the first. */
  readonly copyMs: number;
  /** From the copy to the end of writing, the longest of the last few: what to expect of the next. Null before the first. */
  readonly expectedMs: number | null;
}

const remembered = 5;

/** Counts saves. */
export class SaveCounter {
  #saves = 0;
  #failures = 0;
  #superseded = 0;
  #bytes = 0;
  #copyMs = 0;
  readonly #durations: number[] = [];

  saved(bytes: number, copyMs: number, durationMs: number): void {
    this.#saves++;
    this.#bytes = bytes;
    this.#copyMs = copyMs;
    this.#durations.push(durationMs);
    if (this.#durations.length > remembered) this.#durations.shift();
  }

  failed(): void {
    this.#failures++;
  }

  superseded(): void {
    this.#superseded++;
  }

  get statistics(): SaveStatistics {
    return {
      saves: this.#saves,
      failures: this.#failures,
      superseded: this.#superseded,
      bytes: this.#bytes,
      copyMs: this.#copyMs,
      expectedMs: this.#durations.length === 0 ? null : Math.max(...this.#durations),
    };
  }
}
