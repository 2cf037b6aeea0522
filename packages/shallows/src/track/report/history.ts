import type { DepthReport } from '../../depth/index.js';
import type { Evaluation, Timing } from '../../train/events.js';
import type { JournalLine } from '../journal-line.js';
import type { RunData } from '../run-data.js';
import { mean, median } from './statistics.js';

/** One training step. */
export interface StepPoint {
  /** In epochs. */
  readonly x: number;
  readonly durationMs: number;
  readonly active: number;
  readonly lr: number;
}

/** One evaluation. */
export interface EvaluationPoint extends Evaluation {
  /** In epochs. */
  readonly x: number;
}

/** A run as its pictures and tables show it: what the journal says, completed by the record. */
export interface History {
  readonly label: string;
  readonly run: RunData;
  /** The CSS colour of the run. */
  readonly colour: string;
  readonly steps: readonly StepPoint[];
  readonly evaluations: readonly EvaluationPoint[];
  readonly last: EvaluationPoint | null;
  readonly best: EvaluationPoint | null;
  /** Epochs that were trained; not always a whole number. */
  readonly epochs: number;
  readonly totalEpochs: number | null;
  /** Residual blocks that could be dropped. */
  readonly sites: number;
  /** Blocks are dropped by design. */
  readonly drops: boolean;
  /** What was counted; null before the end, and where nothing is dropped by design. */
  readonly depth: DepthReport | null;
  readonly expectedActive: number;
  readonly realisedActive: number | null;
  readonly timing: Timing | null;
}

type Lines<K extends JournalLine['kind']> = Extract<JournalLine, { kind: K }>[];

/** Number of run colours in the style sheet; further runs begin again. */
export const RUN_COLOURS = 8;

/** Reads a run's history out of its journal. A run that was killed has one too, as far as it got. */
export function historyOf(run: RunData, index: number): History {
  const of = <K extends JournalLine['kind']>(kind: K): Lines<K> =>
    run.journal.lines.filter((line) => line.kind === kind) as Lines<K>;
  const start = of('fit-start')[0];
  const end = of('fit-end').at(-1);
  const perEpoch = start?.batchesPerEpoch ?? 1;
  const steps = of('batches').flatMap((line) => stepPoints(line, perEpoch));
  const evaluations = of('evaluation').map(({ at, train, validation, gap }) => ({
    x: at.batch / perEpoch,
    train,
    validation,
    gap,
  }));
  const depth = run.record.depth ?? end?.depth ?? null;
  const model = start?.model ?? run.record.model;
  return {
    label: run.label,
    run,
    colour: `var(--run-${String(index % RUN_COLOURS)})`,
    steps,
    evaluations,
    last: evaluations.at(-1) ?? null,
    best: bestOf(evaluations),
    epochs: steps.at(-1)?.x ?? 0,
    totalEpochs: start?.totalEpochs ?? null,
    sites: model.sites.length,
    drops: model.sites.some(({ requested }) => requested > 0),
    depth,
    expectedActive: depth?.expectedActive ?? model.sites.reduce((sum, { requested }) => sum + 1 - requested, 0),
    realisedActive: depth?.realisedActive ?? (steps.length === 0 ? null : mean(steps.map(({ active }) => active))),
    timing:
      run.record.timing ?? end?.timing ?? timingOf(steps, end?.at.elapsedMs ?? of('epoch-end').at(-1)?.at.elapsedMs),
  };
}

function stepPoints({ first, durationMs, active, lr }: Lines<'batches'>[number], perEpoch: number): StepPoint[] {
  return durationMs.map((duration, i) => ({
    x: (first + i) / perEpoch,
    durationMs: duration,
    active: active[i] ?? 0,
    lr: typeof lr === 'number' ? lr : (lr[i] ?? Number.NaN),
  }));
}

function bestOf(evaluations: readonly EvaluationPoint[]): EvaluationPoint | null {
  return evaluations.reduce<EvaluationPoint | null>(
    (best, point) => (best === null || point.validation.accuracy > best.validation.accuracy ? point : best),
    null,
  );
}

/** The step times of a run that left no final record. */
function timingOf(steps: readonly StepPoint[], elapsedMs: number | undefined): Timing | null {
  const medianStepMs = median(steps.map(({ durationMs }) => durationMs));
  if (medianStepMs === null) return null;
  const most = Math.max(...new Set(steps.map(({ active }) => active)));
  const medianOf = (full: boolean): number | null =>
    median(steps.flatMap(({ active, durationMs }) => ((active === most) === full ? [durationMs] : [])));
  return {
    medianStepMs,
    medianFullStepMs: medianOf(true),
    medianDroppedStepMs: medianOf(false),
    totalMs: elapsedMs ?? steps.reduce((sum, { durationMs }) => sum + durationMs, 0),
  };
}
