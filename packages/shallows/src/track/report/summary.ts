import { counted, grouped, percent, span, tenths } from '../format.js';
import { type Contrast, contrastOf } from './contrast.js';
import { type History, sharedWords } from './history.js';
import { validationDifference } from './noise.js';

/** What came out, in one plain sentence whose numbers are those of the tables. */
export function summarySentence(histories: readonly History[]): string {
  const [first, ...others] = histories;
  if (first === undefined) return 'There is no run.';
  if (others.length === 0) return capital(`${state(first)}${single(first)}.`);
  const contrast = contrastOf(histories);
  return contrast === null ? `${several(histories)}.` : capital(`${pair(contrast)}.`);
}

/** How a run stands where it is not simply done, as the beginning of a sentence. */
function state({ run, epochs, totalEpochs }: History): string {
  const { status, failure, stopReason } = run.record;
  if (status === 'done') return '';
  const word = { running: 'under way', stopped: 'stopped', interrupted: 'interrupted', failed: 'failed' }[status];
  const reason = status === 'failed' ? failure : status === 'stopped' ? stopReason : null;
  const why = reason === null ? '' : ` (${reason.length > 120 ? `${reason.slice(0, 117)}…` : reason})`;
  return `${word} after ${progressText(epochs, totalEpochs)}${why}: `;
}

/** `3 epochs`, or `2.5 of 10 epochs` where it is not all of them. */
export function progressText(epochs: number, total: number | null): string {
  return total === null || total === epochs
    ? counted(epochs, 'epoch')
    : `${tenths(epochs)} of ${counted(total, 'epoch')}`;
}

/** `61.2 %`, or `RMSE 0.123` of a metric whose unit does not say what it is. */
function valueText({ words }: History, value: number): string {
  return words.unit === '%' ? words.shown(value) : `${words.noun} ${words.shown(value)}`;
}

function single(history: History): string {
  const { run, last, epochs, sites, realisedActive, drops, noun, words } = history;
  const result =
    last === null
      ? 'no evaluation yet'
      : `validation ${valueText(history, last.primary.validation)}${last.x === epochs && run.record.status !== 'done' ? '' : ` after ${counted(last.x, 'epoch')}`}, training ${words.shown(last.primary.train)}`;
  const blocks =
    drops && realisedActive !== null
      ? `; ${realisedActive.toFixed(1)} of ${String(sites)} ${noun.many} ran in the mean step`
      : '';
  const step = history.timing === null ? '' : `; a step took ${span(history.timing.medianStepMs)}`;
  return `${result}${skipped(history)}${blocks}${step}`;
}

function pair({ subject: a, baseline: b, ofDepth }: Contrast): string {
  const named = ofDepth ? 'with stochastic depth: ' : `${a.label} against ${b.label}: `;
  const states = [a, b].flatMap((history) =>
    history.run.record.status === 'done' ? [] : [`${history.label} ${state(history).replace(/: $/, '')}`],
  );
  const suffix = states.length === 0 ? '' : ` (${states.join('; ')})`;
  return `${named}${metrics(a, b, ofDepth)}${skipped(a)}${ratio(a, b)}${suffix}`;
}

function metrics(a: History, b: History, ofDepth: boolean): string {
  if (a.last === null || b.last === null) return `no evaluation yet of ${a.last === null ? a.label : b.label}`;
  const [p, q] = [a.last.primary.validation, b.last.primary.validation];
  const difference = validationDifference(a, b);
  const noise =
    p !== q && difference !== null && !difference.beyondNoise
      ? `, a difference that chance alone explains at ${grouped(Math.min(a.rows?.validation ?? 0, b.rows?.validation ?? 0))} rows`
      : '';
  const other = a.primary.name === b.primary.name ? b.words.shown(q) : valueText(b, q);
  return `validation ${valueText(a, p)} against ${other}${ofDepth ? ' without' : ''}${noise}`;
}

function skipped({ depth }: History): string {
  return depth === null || depth.workSaved === null
    ? ''
    : `; ${percent(depth.workSaved, 0)} of the forward work skipped`;
}

function ratio(a: History, b: History): string {
  if (a.timing === null || b.timing === null || !(b.timing.medianStepMs > 0)) return '';
  return `; a step took ${(a.timing.medianStepMs / b.timing.medianStepMs).toFixed(2)} × the time`;
}

function several(histories: readonly History[]): string {
  const words = sharedWords(histories);
  if (words === null) return `${String(histories.length)} runs, which are judged by different metrics`;
  const evaluated = histories.flatMap((history) =>
    history.last === null ? [] : [{ history, value: history.last.primary.validation }],
  );
  const [first] = evaluated;
  if (first === undefined) return `${String(histories.length)} runs, none of them evaluated yet`;
  const sign = first.history.primary.better === 'higher' ? 1 : -1;
  const ranked = evaluated.toSorted((a, b) => sign * (b.value - a.value));
  const [best, worst] = [ranked[0] ?? first, ranked.at(-1) ?? first];
  return `Of ${String(histories.length)} runs, ${best.history.label} ended best with a validation ${words.noun} of ${words.shown(best.value)}, and ${worst.history.label} last with ${words.shown(worst.value)}`;
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
