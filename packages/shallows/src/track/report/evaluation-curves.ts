import { dot, lineY, type Markish } from '@observablehq/plot';
import { significant } from '../format.js';
import { axes } from './axes.js';
import type { Figure } from './figure.js';
import type { EvaluationPoint, History } from './history.js';
import { decades, epochScale } from './scales.js';

/** What is drawn of an evaluation. */
export type Pair = readonly [train: number, validation: number];

/** How curves of evaluations are drawn. */
export interface CurveOptions {
  /** Of the upright axis. */
  readonly label: string;
  /** Behind values. */
  readonly unit?: string;
  /** On a logarithmic scale, without what a logarithm cannot show. */
  readonly log?: boolean;
}

/** A dashed line for the training rows and a full one with dots for the validation set, for each run. */
export function evaluationCurves(
  histories: readonly History[],
  valuesOf: (point: EvaluationPoint) => Pair,
  { label, unit = '', log = false }: CurveOptions,
): NonNullable<Figure['draw']> {
  return () => ({
    x: epochScale(histories),
    y: { ...(log ? { type: 'log' as const } : { zero: false }), nice: true },
    marks: [
      ...axes({
        x: 'epoch',
        y: label,
        yOptions: { ticks: log ? decades(histories.flatMap(({ evaluations }) => evaluations.flatMap(valuesOf))) : 5 },
      }),
      ...histories.flatMap(({ evaluations, colour, label: run }): Markish[] => {
        const rows = evaluations.map((point) => {
          const [train, validation] = valuesOf(point);
          return { x: point.x, train: drawable(train, log), validation: drawable(validation, log) };
        });
        const title = (side: 'train' | 'validation') => (row: (typeof rows)[number]) =>
          `${run}, epoch ${significant(row.x)}: ${side === 'train' ? 'training' : side} ${significant(row[side])}${unit === '' ? '' : ` ${unit}`}`;
        // Many dots make a caterpillar of the line; a lone evaluation is nothing but its dot.
        const dots = rows.length <= 40;
        return [
          lineY(rows, {
            x: 'x',
            y: 'train',
            stroke: colour,
            strokeWidth: 1.6,
            strokeDasharray: '5 4',
            strokeOpacity: 0.85,
          }),
          lineY(rows, { x: 'x', y: 'validation', stroke: colour, strokeWidth: 2.4 }),
          ...(dots
            ? [dot(rows, { x: 'x', y: 'train', r: 2, fill: 'var(--card)', stroke: colour, title: title('train') })]
            : []),
          ...(dots ? [dot(rows, { x: 'x', y: 'validation', r: 2.6, fill: colour, title: title('validation') })] : []),
        ];
      }),
    ],
  });
}

/** A number that a scale can place, else NaN, which leaves a gap. */
export function drawable(value: number, positive = false): number {
  return Number.isFinite(value) && (!positive || value > 0) ? value : Number.NaN;
}
