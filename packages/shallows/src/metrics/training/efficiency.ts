/** What a run cost: see {@link EfficiencyMeter}. All times are of the wall clock. */
export interface EfficiencyReport {
  /** Devices that the run holds: one a process. */
  readonly devices: number;
  /** `devices · elapsed / 3,600,000`, with the devices of each time: what was held, whether it was busy or not. */
  readonly deviceHours: number;
  readonly steps: number;
  readonly samples: number;
  /** In training steps, without waiting for data. */
  readonly trainMs: number;
  readonly dataWaitMs: number;
  readonly evaluationMs: number;
  /** In steps that were done again after a resume, their waiting included. */
  readonly retriedMs: number;
  /** Neither of these: starting, saving, drawing, idling. */
  readonly otherMs: number;
  readonly elapsedMs: number;
  /** Of training and waiting for data, without evaluations; null before the first step. */
  readonly samplesPerSecond: number | null;
  /** `dataWait / (train + dataWait)`; null before the first step. */
  readonly dataWaitShare: number | null;
}

/** A training step as its cost sees it. */
export interface StepCost {
  /** Without waiting for data. */
  readonly durationMs: number;
  readonly dataWaitMs: number;
  /** Rows of all processes together. */
  readonly samples: number;
}

/** What a run held. */
export interface HeldDevices {
  readonly devices: number;
  /** Wall clock of the run, retried steps included. */
  readonly elapsedMs: number;
  /** The same summed over devices; to be given where their number changed on the way. */
  readonly deviceMs?: number;
}

/** Adds up where the time of a run goes. Memory does not grow with the run. */
export class EfficiencyMeter {
  #steps = 0;
  #samples = 0;
  #trainMs = 0;
  #dataWaitMs = 0;
  #evaluationMs = 0;
  #retriedMs = 0;

  addStep({ durationMs, dataWaitMs, samples }: StepCost): void {
    this.#steps += 1;
    this.#samples += samples;
    this.#trainMs += durationMs;
    this.#dataWaitMs += dataWaitMs;
  }

  addEvaluation(durationMs: number): void {
    this.#evaluationMs += durationMs;
  }

  /** Takes a step that counts no longer, because the run went on from before it. */
  addRetried({ durationMs, dataWaitMs }: Omit<StepCost, 'samples'>): void {
    this.#retriedMs += durationMs + dataWaitMs;
  }

  /** The whole so far. */
  report({ devices, elapsedMs, deviceMs = devices * elapsedMs }: HeldDevices): EfficiencyReport {
    const busyMs = this.#trainMs + this.#dataWaitMs;
    const known = busyMs + this.#evaluationMs + this.#retriedMs;
    return {
      devices,
      deviceHours: deviceMs / 3_600_000,
      steps: this.#steps,
      samples: this.#samples,
      trainMs: this.#trainMs,
      dataWaitMs: this.#dataWaitMs,
      evaluationMs: this.#evaluationMs,
      retriedMs: this.#retriedMs,
      otherMs: Math.max(0, elapsedMs - known),
      elapsedMs,
      samplesPerSecond: busyMs > 0 ? (1000 * this.#samples) / busyMs : null,
      dataWaitShare: busyMs > 0 ? this.#dataWaitMs / busyMs : null,
    };
  }
}
