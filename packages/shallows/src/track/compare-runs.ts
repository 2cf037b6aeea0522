import { costPerGain, dominatedBy, type TargetReport } from '../metrics/index.js';
import type { Evaluation, PrimaryMetric } from '../train/events.js';
import { type Difference, differences } from './differences.js';
import { type History, historyOf } from './report/history.js';
import { validationDifference, validationError } from './report/noise.js';
import type { RunData } from './run-data.js';
import type { RunStatus } from './run-record.js';

/** A run beside others. */
export interface ComparedRun {
  readonly label: string;
  readonly id: string;
  readonly status: RunStatus;
  readonly primary: PrimaryMetric;
  readonly metrics: Evaluation | null;
  /** Half the width of the 95 % interval of the primary metric on the validation set; null where nothing is known of it. */
  readonly noise: number | null;
  readonly epochs: number;
  readonly steps: number;
  readonly medianStepMs: number | null;
  readonly totalMs: number | null;
  /** Share of the forward work that was skipped; null where it is not known yet. */
  readonly workSaved: number | null;
  readonly deviceHours: number;
  readonly samplesPerSecond: number | null;
  readonly dataWaitShare: number | null;
  readonly peakMemoryBytes: number | null;
  readonly lossSpikes: number;
  /** Standard deviation of the detrended training loss at the end. */
  readonly lossStd: number | null;
  readonly target: TargetReport | null;
  /** A run that is at least as good for at most the device-hours; null for runs that none beats in both. */
  readonly dominatedBy: string | null;
}

/** A run against the first one. */
export interface RunContrast {
  readonly label: string;
  readonly against: string;
  /** Of the primary metric on the validation set; null where runs are judged by different ones, or not evaluated yet. */
  readonly difference: number | null;
  /** Its 95 % interval; null where nothing is known of the noise. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Whether more than chance explains the difference; null where nothing is known of the noise. */
  readonly beyondNoise: boolean | null;
  /** The time of its median step, and its time in all, as multiples of the other's. */
  readonly stepRatio: number | null;
  readonly timeRatio: number | null;
  /** Device-hours for a unit of the metric gained; null where the metric or its noise is not known. */
  readonly costPerGain: number | null;
}

/** Runs side by side. */
export interface RunComparison {
  readonly runs: readonly ComparedRun[];
  /** Keys at which the recipes differ. */
  readonly recipe: readonly Difference[];
  /** Every run but the first, against it. */
  readonly contrasts: readonly RunContrast[];
  /** Whether all learnt from and were measured on the same data. */
  readonly sameData: boolean;
}

/**
 * Compares runs: their recipes key by key, and what came out with what chance alone would make of it.
 *
 * @param runs in the order in which they are shown; the others are measured against the first
 * @param target a value of the primary metric whose time is asked for; each run's own goal unless given
 */
export function compareRuns(
  runs: readonly RunData[],
  { target }: { readonly target?: number | undefined } = {},
): RunComparison {
  const histories = runs.map((run, i) => historyOf(run, i, { target }));
  const beaten = beatenBy(histories);
  const [first, ...others] = histories;
  return {
    runs: histories.map((history, i) => compared(history, beaten[i] ?? null)),
    recipe: differences(runs.map(({ record }) => record.recipe)),
    contrasts: first === undefined ? [] : others.map((history) => contrast(history, first)),
    sameData: new Set(runs.map(({ record }) => record.data.digest)).size <= 1,
  };
}

function compared(history: History, dominated: string | null): ComparedRun {
  const { label, run, primary, timing, summary, depth, drops, last } = history;
  const { efficiency, stability, target } = summary;
  return {
    label,
    id: run.record.id,
    status: run.record.status,
    primary,
    metrics: last === null ? null : { train: last.train, validation: last.validation, gap: last.gap },
    noise: validationError(history),
    epochs: history.epochs,
    steps: history.steps.length,
    medianStepMs: timing?.medianStepMs ?? null,
    totalMs: timing?.totalMs ?? null,
    workSaved: drops ? (depth?.workSaved ?? null) : 0,
    deviceHours: efficiency.deviceHours,
    samplesPerSecond: efficiency.samplesPerSecond,
    dataWaitShare: efficiency.dataWaitShare,
    peakMemoryBytes: history.peakMemoryBytes,
    lossSpikes: stability.spikes,
    lossStd: stability.std,
    target,
    dominatedBy: dominated,
  };
}

function contrast(history: History, first: History): RunContrast {
  const same = history.primary.name === first.primary.name;
  const noise = validationDifference(history, first);
  const [a, b] = [history.last?.primary.validation, first.last?.primary.validation];
  const known = same && a !== undefined && b !== undefined && Number.isFinite(a) && Number.isFinite(b);
  return {
    label: history.label,
    against: first.label,
    difference: known ? a - b : null,
    interval: noise?.interval ?? null,
    beyondNoise: noise?.beyondNoise ?? null,
    stepRatio: ratio(history.timing?.medianStepMs, first.timing?.medianStepMs),
    timeRatio: ratio(history.timing?.totalMs, first.timing?.totalMs),
    costPerGain:
      known && noise !== null
        ? costPerGain({
            deviceHours: history.summary.efficiency.deviceHours,
            value: a,
            baseline: b,
            better: history.primary.better,
            error: noise.error,
          })
        : null,
  };
}

/** For each run the label of one that beats it in metric and cost; only runs that are judged by one metric can be compared. */
function beatenBy(histories: readonly History[]): readonly (string | null)[] {
  const [first] = histories;
  if (first === undefined || histories.some(({ primary }) => primary.name !== first.primary.name))
    return histories.map(() => null);
  const points = histories.map(({ last, summary }) => ({
    deviceHours: summary.efficiency.deviceHours,
    value: last?.primary.validation ?? Number.NaN,
  }));
  return dominatedBy(points, first.primary.better).map((index) =>
    index === null ? null : (histories[index]?.label ?? null),
  );
}

function ratio(a: number | undefined, b: number | undefined): number | null {
  return a === undefined || b === undefined || !(b > 0) ? null : a / b;
}
