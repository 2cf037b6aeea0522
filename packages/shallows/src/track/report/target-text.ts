import type { TargetReport } from '../../metrics/index.js';
import { counted, span } from '../format.js';
import { metricWords } from '../metric-words.js';

/** What is to be reached: `accuracy ≥ 70.0 %`. */
export function goalText({ metric, better, value }: TargetReport): string {
  const words = metricWords(metric);
  return `${words.noun} ${better === 'higher' ? '≥' : '≤'} ${words.shown(value)}`;
}

/** When it was: `epoch 7, 12.3 s`; `not within 15 epochs`. */
export function targetText({ reached, last, held, stays }: TargetReport, batchesPerEpoch: number): string {
  if (reached !== null) {
    return `epoch ${tenthsOf(reached.batch / batchesPerEpoch)}, ${span(reached.elapsedMs)}`;
  }
  if (last === null) return 'no evaluation yet';
  const within = `within ${counted(Math.round((10 * last.batch) / batchesPerEpoch) / 10, 'epoch')}`;
  return held === 0 ? `not ${within}` : `not ${within}: there for ${String(held)} of ${counted(stays, 'evaluation')}`;
}

function tenthsOf(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
