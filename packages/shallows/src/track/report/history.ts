import type { DepthReport } from '../../depth/index.js';
import { GapMeter, type GapReading } from '../../metrics/index.js';
import type { Evaluation, PrimaryMetric, Progress, SiteSummary, Timing } from '../../train/events.js';
import type { OfBoth } from '../data-record.js';
import { evaluatedRows } from '../evaluated-rows.js';
import { type Counted, siteNoun } from '../format.js';
import type { JournalLine, LineOf } from '../journal/line.js';
import { type MetricWords, metricWords } from '../metric-words.js';
import type { RunData } from '../run-data.js';
import { type Summary, TrainingSummary } from '../training-summary.js';
import { mean, median } from './statistics.js';

/** One training step. */
export interface StepPoint {
  /** In epochs. */
  readonly x: number;
  readonly durationMs: number;
  readonly active: number;
  readonly lr: number;
  /** Branches that were to run in the mean of such steps, by the rates in force. */
  readonly expected: number;
}

/** A number that was read back from the device at some steps. */
export interface Reading {
  /** In epochs. */
  readonly x: number;
  readonly batch: number;
  readonly value: number;
}

/** One evaluation. */
export interface EvaluationPoint extends Evaluation {
  /** In epochs. */
  readonly x: number;
  readonly at: Progress;
  /** The primary metric on both sides, and its gap. */
  readonly primary: OfBoth<number>;
  readonly reading: GapReading;
}

/** A run as its pictures and tables show it: what the journal says, completed by the record. */
export interface History {
  readonly label: string;
  readonly run: RunData;
  /** The CSS colour of the run. */
  readonly colour: string;
  /** What the run is judged by, and how that is written. */
  readonly primary: PrimaryMetric;
  readonly words: MetricWords;
  /** Rows that the primary metric is a share of; null where it is none. */
  readonly rows: OfBoth<number> | null;
  readonly steps: readonly StepPoint[];
  /** Of the training loss and of the gradient's norm. */
  readonly losses: readonly Reading[];
  readonly gradNorms: readonly Reading[];
  readonly evaluations: readonly EvaluationPoint[];
  readonly last: EvaluationPoint | null;
  readonly best: EvaluationPoint | null;
  /** Stability, efficiency and target. */
  readonly summary: Summary;
  /** Epochs that were trained; not always a whole number. */
  readonly epochs: number;
  readonly totalEpochs: number | null;
  readonly batchesPerEpoch: number;
  /** Residual branches that could be dropped. */
  readonly sites: number;
  /** What is known of each, by name. */
  readonly places: ReadonlyMap<string, SiteSummary>;
  /** What they are called. */
  readonly noun: Counted;
  /** What a drop decision covers; null where nothing is dropped. */
  readonly unit: 'block' | 'row' | null;
  /** Blocks are dropped by design. */
  readonly drops: boolean;
  /** What was counted; null before the end, and where nothing is dropped by design. */
  readonly depth: DepthReport | null;
  readonly expectedActive: number;
  readonly realisedActive: number | null;
  readonly timing: Timing | null;
  readonly peakMemoryBytes: number | null;
  /** What a reader should know of how it went, in sentences. */
  readonly advice: readonly string[];
}

/** What a history is read with. */
export interface HistoryOptions {
  /** A value of the primary metric whose time is asked for; the run's own goal unless given. */
  readonly target?: number | undefined;
}

type Kind = JournalLine['kind'];

/** Number of run colours in the style sheet; further runs begin again. */
export const RUN_COLOURS = 8;

/** Reads a run's history out of its journal. A run that was killed has one too, as far as it got. */
export function historyOf(run: RunData, index: number, { target }: HistoryOptions = {}): History {
  const { record, journal } = run;
  const of = <K extends Kind>(kind: K): LineOf<K>[] =>
    journal.lines.filter((line): line is JournalLine & LineOf<K> => line.kind === kind);
  const start = of('fit-start').at(-1);
  const end = of('fit-end').at(-1);
  const perEpoch = start?.batchesPerEpoch ?? 1;
  const primary = start?.primary ?? record.primary;
  const rows = evaluatedRows({ ...record, primary });
  const evaluations = evaluationPoints(of('evaluation'), { perEpoch, primary, rows });
  const depth = record.depth ?? end?.depth ?? null;
  const model = start?.model ?? record.model;
  const requested = model.sites.reduce((sum, site) => sum + site.requested, 0);
  const batches = of('batches');
  const steps = batches.flatMap((line) => stepPoints(line, perEpoch, requested));
  const expected = steps.length === 0 ? model.sites.length - requested : mean(steps.map((step) => step.expected));
  const readings = (column: 'losses' | 'gradNorms'): Reading[] =>
    batches.flatMap((line) => line[column].map(([batch, value]) => ({ x: batch / perEpoch, batch, value })));
  return {
    label: run.label,
    run,
    colour: `var(--run-${String(index % RUN_COLOURS)})`,
    primary,
    words: metricWords(primary.name),
    rows,
    steps,
    losses: readings('losses'),
    gradNorms: readings('gradNorms'),
    evaluations,
    last: evaluations.at(-1) ?? null,
    best: bestOf(evaluations, primary),
    summary: summaryOf(run, primary, rows, target),
    epochs: steps.at(-1)?.x ?? 0,
    totalEpochs: start?.totalEpochs ?? null,
    batchesPerEpoch: perEpoch,
    sites: model.sites.length,
    places: new Map(model.sites.map((site) => [site.name, site])),
    noun: siteNoun(model.sites),
    unit: record.policy?.unit ?? (requested > 0 ? 'block' : null),
    drops: requested > 0,
    depth,
    expectedActive: depth?.expectedActive ?? expected,
    realisedActive: depth?.realisedActive ?? (steps.length === 0 ? null : mean(steps.map(({ active }) => active))),
    timing: record.timing ?? end?.timing ?? timingOf(steps, end?.at.elapsedMs ?? of('epoch-end').at(-1)?.at.elapsedMs),
    peakMemoryBytes: record.peakMemoryBytes ?? end?.peakMemoryBytes ?? null,
    advice: [...new Set(of('warning').flatMap(({ topic, message }) => (topic === 'drop-rates' ? [] : [message])))],
  };
}

function summaryOf(
  { record, journal }: RunData,
  primary: PrimaryMetric,
  rows: OfBoth<number> | null,
  target: number | undefined,
): Summary {
  const goal = target === undefined ? record.goal : { metric: primary.name, better: primary.better, value: target };
  const summary = new TrainingSummary({ primary, goal, rowsOf: () => rows });
  summary.readAll(journal);
  return summary.report();
}

interface EvaluationFacts {
  readonly perEpoch: number;
  readonly primary: PrimaryMetric;
  readonly rows: OfBoth<number> | null;
}

function evaluationPoints(
  lines: readonly LineOf<'evaluation'>[],
  { perEpoch, primary, rows }: EvaluationFacts,
): EvaluationPoint[] {
  const meter = new GapMeter(primary.better);
  return lines.map(({ at, train, validation, gap }) => {
    const sides = { train: train[primary.name] ?? Number.NaN, validation: validation[primary.name] ?? Number.NaN };
    const reading = meter.add(
      { value: sides.train, rows: rows?.train ?? null },
      { value: sides.validation, rows: rows?.validation ?? null },
    );
    return { x: at.batch / perEpoch, at, train, validation, gap, primary: sides, reading };
  });
}

function stepPoints(
  { first, durationMs, active, lr, factor, sites }: LineOf<'batches'>,
  perEpoch: number,
  requested: number,
): StepPoint[] {
  const at = (column: number | readonly number[], i: number): number =>
    typeof column === 'number' ? column : (column[i] ?? Number.NaN);
  return durationMs.map((duration, i) => ({
    x: (first + i) / perEpoch,
    durationMs: duration,
    active: active[i] ?? 0,
    lr: at(lr, i),
    expected: sites - at(factor, i) * requested,
  }));
}

function bestOf(evaluations: readonly EvaluationPoint[], { better }: PrimaryMetric): EvaluationPoint | null {
  const beats = (a: number, b: number): boolean => (better === 'higher' ? a > b : a < b);
  return evaluations.reduce<EvaluationPoint | null>(
    (best, point) =>
      best === null ||
      !Number.isFinite(best.primary.validation) ||
      beats(point.primary.validation, best.primary.validation)
        ? point
        : best,
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

/** `Blocks active`, or `Branches active` where a block of any run has several. */
export function activeTitle(histories: readonly History[]): string {
  return `${histories.some(({ noun }) => noun.one === 'branch') ? 'Branches' : 'Blocks'} active`;
}

/** The words of the metric by which all runs are judged; null where they are judged by different ones. */
export function sharedWords(histories: readonly History[]): MetricWords | null {
  const [first] = histories;
  return first !== undefined && histories.every(({ primary }) => primary.name === first.primary.name)
    ? first.words
    : null;
}
