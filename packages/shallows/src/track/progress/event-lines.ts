import type { Metrics, TrainEvent } from '../../train/events.js';
import { grouped, percent, significant, span, steady } from '../format.js';
import { metricWords } from '../metric-words.js';
import type { Standing } from './standing.js';
import { type LineStyle, painted } from './status-line.js';

type EventOf<K extends TrainEvent['kind']> = Extract<TrainEvent, { kind: K }>;

/** `epoch 3/10`, or `epoch 2.5/10` in the middle of the third. */
export function whereOf({ at }: TrainEvent, { epochs, total }: Standing): string {
  if (epochs === null) return `epoch ${String(at.epoch)}, batch ${String(at.batch)}`;
  const done = total === null || total === 0 ? at.epoch : (at.batch / total) * epochs;
  return `epoch ${significant(done, 4)}/${significant(epochs, 4)}`;
}

/**
 * An evaluation as a line that stays.
 *
 * @param standing after the evaluation
 * @param before the best so far before it
 */
export function evaluationLine(event: EventOf<'evaluation'>, standing: Standing, before: Standing['best']): string {
  const { name } = standing.primary;
  const words = metricWords(name);
  const side = (called: string, metrics: Metrics): string => {
    if (name === 'loss') return `${called} loss ${steady(metrics.loss)}`;
    const value = words.shown(metrics[name] ?? Number.NaN);
    return `${called} ${words.unit === '%' ? '' : `${words.noun} `}${value} (loss ${steady(metrics.loss)})`;
  };
  const gap = event.gap[name] ?? Number.NaN;
  const size = words.unit === '%' ? `${(100 * gap).toFixed(1)} points` : significant(gap);
  return [
    `${whereOf(event, standing)}: ${side('validation', event.validation)}`,
    side('train', event.train),
    Number.isFinite(gap) ? `gap ${size}` : 'gap unknown',
    ...bestPart(standing, before),
  ].join(', ');
}

/** Says how an evaluation compares with those before it; nothing of the first. */
function bestPart({ best, primary, epochs, total }: Standing, before: Standing['best']): string[] {
  if (best === null || before === null) return [];
  if (best.batch !== before.batch) return ['best so far'];
  const at =
    epochs === null || total === null || total === 0
      ? `batch ${grouped(best.batch)}`
      : `epoch ${significant((best.batch / total) * epochs, 4)}`;
  return [`best ${metricWords(primary.name).shown(best.value)} at ${at}`];
}

/** An epoch as a line that stays. */
export function epochLine(event: EventOf<'epoch-end'>, standing: Standing): string {
  const blocks =
    standing.sites === 0
      ? ''
      : `, ${event.realised.toFixed(1)} of ${String(standing.sites)} ${standing.noun.many} active`;
  const left =
    standing.remainingMs === null || standing.remainingMs === 0 ? '' : `, ${span(standing.remainingMs)} left`;
  return `${whereOf(event, standing)}: loss ${steady(event.trainLoss)}, ${span(event.meanStepMs)}/step${blocks}, ${span(event.at.elapsedMs)} so far${left}`;
}

/** A warning as a line that stays. */
export function warningLine(message: string, style: LineStyle): string {
  return `${painted('warning', 33, style)}: ${message}`;
}

/** What a run goes on from, as a line that stays. */
export function resumedLine({ at, from, skipped }: EventOf<'resumed'>): string {
  const left = skipped.map(({ path, why }) => `; left out ${path}: ${why}`).join('');
  return `resumed at batch ${grouped(at.batch)}${from === null ? '' : ` from ${from}`}${left}`;
}

const DONE = { stop: 'the run ends', skip: 'the step is left out', lower: 'the step is left out' } as const;

/** A batch that gave no finite loss or gradient, for a warning. */
export function nonFiniteText({ epoch, batch, loss, action, lrFactor }: EventOf<'non-finite'>): string {
  const what = Number.isFinite(loss) ? 'a gradient that is not finite' : `loss ${significant(loss)}`;
  const lower = action === 'lower' ? `, and the learning rate is ${percent(lrFactor)} of its schedule from here` : '';
  return `batch ${String(batch)} of epoch ${String(epoch)} (both from 0): ${what} - ${DONE[action]}${lower}`;
}
