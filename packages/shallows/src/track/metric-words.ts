import { percent, significant, steady } from './format.js';

/** How a metric is called and written. */
export interface MetricWords {
  /** At the beginning of a line: `Accuracy`, `RMSE`. */
  readonly title: string;
  /** Within a sentence: `accuracy`, `RMSE`. */
  readonly noun: string;
  /** In a status line: `acc`. */
  readonly short: string;
  /** What a value is multiplied by to be drawn on an axis, and the axis's unit. */
  readonly scale: number;
  readonly unit: string;
  /** `61.2 %`, `0.123` */
  shown(value: number): string;
  /** A difference without its sign: `2.1 pts`, `0.0123`. */
  size(difference: number): string;
}

/** Metrics that are shares of rows. */
const SHARES = new Set(['accuracy', 'top5', 'precision', 'recall', 'f1']);
const TITLES: Readonly<Record<string, string>> = {
  rmse: 'RMSE',
  mae: 'MAE',
  mse: 'MSE',
  r2: 'R²',
  f1: 'F1',
  top5: 'Top-5 accuracy',
};
const SHORT: Readonly<Record<string, string>> = { accuracy: 'acc', perplexity: 'ppl' };

/** The words for a metric by its key in an evaluation. */
export function metricWords(name: string): MetricWords {
  const title = TITLES[name] ?? `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const words = { title, noun: TITLES[name] ?? name, short: SHORT[name] ?? name };
  if (SHARES.has(name)) {
    const size = (difference: number): string => `${(100 * Math.abs(difference)).toFixed(1)} pts`;
    return { ...words, scale: 100, unit: '%', shown: percent, size };
  }
  return {
    ...words,
    scale: 1,
    unit: '',
    shown: (value) => steady(value, 4),
    size: (difference) => significant(Math.abs(difference)),
  };
}

/** A difference with its sign and a true minus: `−2.1 pts`; `–` for one that is no number. */
export function signed(difference: number, size: (difference: number) => string): string {
  if (!Number.isFinite(difference)) return '–';
  const text = size(Math.abs(difference));
  // What is written as zero has no sign.
  return `${!/[1-9]/.test(text) ? '' : difference < 0 ? '−' : '+'}${text}`;
}
