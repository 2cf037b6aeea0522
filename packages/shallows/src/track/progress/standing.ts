import type { PrimaryMetric, Progress, TrainEvent } from '../../train/events.js';
import { type Counted, siteNoun } from '../format.js';

/** Share of a new step time in the shown one: steps with dropped blocks are faster, and a reader wants the mean. */
const SMOOTHING = 0.05;

/** The best evaluation so far. */
export interface Best {
  readonly value: number;
  readonly batch: number;
}

/** Where a run stands, as its status line shows it. */
export interface Standing {
  /** The epoch that is under way, from 1. */
  readonly epoch: number;
  /** Null where the duration is not given in epochs. */
  readonly epochs: number | null;
  readonly batch: number;
  readonly total: number | null;
  readonly fraction: number;
  /** The last loss that was read back. */
  readonly loss: number | null;
  readonly primary: PrimaryMetric;
  /** The primary metric of the last validation. */
  readonly metric: number | null;
  readonly best: Best | null;
  readonly lr: number;
  /** Exponential mean. */
  readonly stepMs: number;
  readonly active: number;
  readonly sites: number;
  readonly noun: Counted;
  /** Null before the first progress. */
  readonly remainingMs: number | null;
}

/** Before the first event. */
export const atRest: Standing = Object.freeze({
  epoch: 1,
  epochs: null,
  batch: 0,
  total: null,
  fraction: 0,
  loss: null,
  primary: Object.freeze({ name: 'loss', better: 'lower' }),
  metric: null,
  best: null,
  lr: 0,
  stepMs: 0,
  active: 0,
  sites: 0,
  noun: siteNoun([]),
  remainingMs: null,
});

/** The standing after an event. */
export function advance(standing: Standing, event: TrainEvent): Standing {
  // A checkpoint says where its snapshot was taken, which is behind where the run stands by now.
  if (event.kind === 'checkpoint') return standing;
  const moved = { ...standing, ...place(event.at, standing.epochs) };
  switch (event.kind) {
    case 'fit-start':
      return {
        ...moved,
        ...place(event.at, event.totalEpochs),
        epochs: event.totalEpochs,
        total: event.totalBatches,
        primary: event.primary,
        active: event.model.sites.length,
        sites: event.model.sites.length,
        noun: siteNoun(event.model.sites),
      };
    case 'batch-end':
      return {
        ...moved,
        loss: event.loss ?? standing.loss,
        lr: event.lr,
        stepMs:
          standing.stepMs === 0 ? event.durationMs : standing.stepMs + SMOOTHING * (event.durationMs - standing.stepMs),
        active: event.active,
        sites: event.sites,
      };
    case 'evaluation': {
      const value = event.validation[standing.primary.name] ?? Number.NaN;
      const beaten = standing.best === null ? Number.isFinite(value) : isBetter(value, standing.best, standing.primary);
      return { ...moved, metric: value, best: beaten ? { value, batch: event.at.batch } : standing.best };
    }
    default:
      return moved;
  }
}

function isBetter(value: number, best: Best, { better }: PrimaryMetric): boolean {
  return better === 'higher' ? value > best.value : value < best.value;
}

function place({ epoch, batch, fraction, elapsedMs }: Progress, epochs: number | null) {
  const underway = epoch + 1;
  return {
    epoch: epochs === null ? underway : Math.min(underway, Math.ceil(epochs)),
    batch,
    fraction,
    remainingMs: fraction > 0 ? (elapsedMs * (1 - fraction)) / fraction : null,
  };
}
