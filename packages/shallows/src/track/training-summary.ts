import {
  EfficiencyMeter,
  type EfficiencyReport,
  GapMeter,
  type GapReading,
  StabilityMeter,
  type StabilityReport,
  TargetMeter,
  type TargetOptions,
  type TargetReport,
} from '../metrics/index.js';
import type { Evaluation, PrimaryMetric, Progress, TrainEvent } from '../train/events.js';
import type { OfBoth } from './data-record.js';
import type { JournalLine, LineOf } from './journal/line.js';
import type { Resolved } from './journal/rewind.js';

/** What was measured of a training as a whole. */
export interface Summary {
  readonly stability: StabilityReport;
  readonly efficiency: EfficiencyReport;
  /** Null where nothing was to be reached. */
  readonly target: TargetReport | null;
  /** Of the primary metric, at the last evaluation; null before one. */
  readonly gap: GapReading | null;
}

/** What a summary is told besides what happens. */
export interface SummaryOptions {
  /** What the run is judged by, unless its start says otherwise. */
  readonly primary: PrimaryMetric;
  readonly goal?: TargetOptions | null;
  /** On how many rows a metric was measured, as `evaluatedRows` says. */
  readonly rowsOf?: (primary: PrimaryMetric) => OfBoth<number> | null;
}

interface Step {
  readonly durationMs: number;
  readonly dataWaitMs: number;
  readonly samples: number;
}

/** Measures a training as it goes on, from its events or from its journal; memory does not grow with the run. */
export class TrainingSummary {
  readonly #stability = new StabilityMeter();
  readonly #efficiency = new EfficiencyMeter();
  readonly #target: TargetMeter | null;
  readonly #goal: TargetOptions | null;
  readonly #rowsOf: (primary: PrimaryMetric) => OfBoth<number> | null;
  #primary: PrimaryMetric;
  #gapMeter: GapMeter;
  #gap: GapReading | null = null;
  #elapsedMs = 0;
  #retriedMs = 0;
  #devices: number | null = null;
  #deviceMs = 0;

  constructor({ primary, goal = null, rowsOf = () => null }: SummaryOptions) {
    this.#primary = primary;
    this.#goal = goal;
    this.#rowsOf = rowsOf;
    this.#target = goal === null ? null : new TargetMeter(goal);
    this.#gapMeter = new GapMeter(primary.better);
  }

  /** Takes an event of the trainer. */
  tell(event: TrainEvent): void {
    if (event.kind === 'batch-end') {
      const { at, loss, gradNorm } = event;
      this.#reached(at);
      if (loss !== null) this.#stability.add({ batch: at.batch, loss });
      if (gradNorm !== null) this.#stability.addGradNorm(gradNorm);
      this.#efficiency.addStep(event);
    } else this.#event(event);
  }

  /** Takes a whole journal, in the order in which it was written. */
  readAll({ lines, superseded }: Resolved): void {
    const lost = new Set(superseded);
    for (const line of [...lines, ...superseded].sort((a, b) => a.seq - b.seq)) {
      if (lost.has(line)) this.#retried(line);
      else this.#read(line);
    }
  }

  /** The whole so far. */
  report(): Summary {
    const elapsedMs = this.#elapsedMs + this.#retriedMs;
    const devices = this.#devices ?? 1;
    return {
      stability: this.#stability.report(),
      efficiency: this.#efficiency.report({ devices, elapsedMs, deviceMs: this.#deviceMs }),
      target: this.#target?.report() ?? null,
      gap: this.#gap,
    };
  }

  #read(line: JournalLine): void {
    if (line.kind === 'batches') {
      for (const [batch, loss] of line.losses) this.#stability.add({ batch, loss });
      for (const [, norm] of line.gradNorms) this.#stability.addGradNorm(norm);
      for (const step of stepsOf(line)) this.#efficiency.addStep(step);
    } else if (line.kind !== 'rewind' && line.kind !== 'repaired') this.#event(line);
  }

  /** What counts no longer, because the run went on from before it, has cost time all the same. */
  #retried(line: JournalLine): void {
    if (line.kind === 'fit-start') this.#devices = line.worldSize;
    if (line.kind === 'batches') for (const step of stepsOf(line)) this.#again(step);
    if (line.kind === 'evaluation') this.#again({ durationMs: line.durationMs, dataWaitMs: 0 });
  }

  #event(event: Exclude<TrainEvent, { kind: 'batch-end' }>): void {
    this.#reached(event.at);
    if (event.kind === 'fit-start') this.#started(event);
    if (event.kind === 'epoch-end') this.#stability.addEpoch(event.trainLoss);
    if (event.kind === 'non-finite') this.#stability.add({ batch: event.at.batch, loss: Number.NaN });
    if (event.kind === 'evaluation') {
      this.#efficiency.addEvaluation(event.durationMs);
      this.#evaluated(event, event.at);
    }
  }

  #started({ worldSize, primary }: Extract<TrainEvent, { kind: 'fit-start' }>): void {
    this.#devices = worldSize;
    if (primary.name === this.#primary.name && primary.better === this.#primary.better) return;
    this.#primary = primary;
    this.#gapMeter = new GapMeter(primary.better);
  }

  #evaluated({ train, validation }: Evaluation, at: Progress): void {
    const { name } = this.#primary;
    this.#target?.add(validation[this.#goal?.metric ?? name] ?? Number.NaN, at);
    const rows = this.#rowsOf(this.#primary);
    this.#gap = this.#gapMeter.add(
      { value: train[name] ?? Number.NaN, rows: rows?.train ?? null },
      { value: validation[name] ?? Number.NaN, rows: rows?.validation ?? null },
    );
  }

  #again(step: Omit<Step, 'samples'>): void {
    const ms = step.durationMs + step.dataWaitMs;
    this.#efficiency.addRetried(step);
    this.#retriedMs += ms;
    this.#deviceMs += ms * (this.#devices ?? 1);
  }

  #reached({ elapsedMs }: Progress): void {
    if (elapsedMs <= this.#elapsedMs) return;
    this.#deviceMs += (elapsedMs - this.#elapsedMs) * (this.#devices ?? 1);
    this.#elapsedMs = elapsedMs;
  }
}

function stepsOf({ durationMs, dataWaitMs, samples }: LineOf<'batches'>): Step[] {
  const at = (column: number | readonly number[], i: number): number =>
    typeof column === 'number' ? column : (column[i] ?? 0);
  return durationMs.map((duration, i) => ({
    durationMs: duration,
    dataWaitMs: at(dataWaitMs, i),
    samples: at(samples, i),
  }));
}
