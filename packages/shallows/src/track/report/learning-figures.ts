import { areaY, dot, lineY, type Markish, ruleY } from '@observablehq/plot';
import { significant } from '../format.js';
import { axes } from './axes.js';
import type { Figure, Key } from './figure.js';
import type { EvaluationPoint, History } from './history.js';
import { thinned } from './statistics.js';

const NO_EVALUATION = 'No evaluation yet.';

/** Loss, accuracy, gap and learning rate over the epochs. */
export function learningFigures(histories: readonly History[]): Figure[] {
  return [lossFigure(histories), accuracyFigure(histories), gapFigure(histories), rateFigure(histories)];
}

function lossFigure(histories: readonly History[]): Figure {
  const losses = histories.flatMap(({ evaluations }) =>
    evaluations.flatMap(({ train, validation }) => [train.loss, validation.loss]),
  );
  const positive = losses.filter((loss) => Number.isFinite(loss) && loss > 0);
  const log = positive.length > 0 && Math.max(...positive) > 30 * Math.min(...positive);
  const lost = losses.filter((loss) => !Number.isFinite(loss) || (log && loss <= 0)).length;
  return {
    id: 'loss',
    title: 'Loss',
    description: 'cross entropy on the validation set and on training rows, both in evaluation mode, over the epochs',
    legend: curveKeys(histories),
    caption: [
      'Cross entropy in evaluation mode',
      log && ', on a logarithmic scale',
      '.',
      lost > 0 &&
        ` ${String(lost)} of ${String(losses.length)} losses cannot be drawn: they are ${log ? 'zero or ' : ''}not finite.`,
    ],
    draw: drawnIf(positive.length > 0, histories, (point) => [point.train.loss, point.validation.loss], {
      label: 'loss',
      scale: log ? { type: 'log' } : { zero: false },
      positive: log,
    }),
    empty: losses.length === 0 ? NO_EVALUATION : 'No loss was a finite number.',
  };
}

function accuracyFigure(histories: readonly History[]): Figure {
  return {
    id: 'accuracy',
    title: 'Accuracy',
    description:
      'share of right answers on the validation set and on training rows, both in evaluation mode, over the epochs',
    legend: curveKeys(histories),
    caption: 'Both sets without augmentation, in evaluation mode: every block runs.',
    draw: drawnIf(
      histories.some(({ evaluations }) => evaluations.length > 0),
      histories,
      ({ train, validation }) => [100 * train.accuracy, 100 * validation.accuracy],
      { label: '%', scale: { zero: false } },
    ),
    empty: NO_EVALUATION,
  };
}

function curveKeys(histories: readonly History[]): Key[] {
  if (histories.length === 1) {
    const colour = histories[0]?.colour ?? '';
    return [
      { label: 'validation', colour },
      { label: 'training', colour, shape: 'dashed' },
    ];
  }
  return [
    ...histories.map(({ label, colour }): Key => ({ label, colour })),
    { label: 'validation', colour: 'var(--muted)' },
    { label: 'training', colour: 'var(--muted)', shape: 'dashed' },
  ];
}

interface CurveOptions {
  readonly label: string;
  readonly scale: { readonly type?: 'log'; readonly zero?: boolean };
  /** Leaves out what a logarithm cannot show. */
  readonly positive?: boolean;
}

/** A dashed line for the training rows and a full one with dots for the validation set, for each run. */
function drawnIf(
  any: boolean,
  histories: readonly History[],
  valuesOf: (point: EvaluationPoint) => readonly [train: number, validation: number],
  { label, scale, positive = false }: CurveOptions,
): Figure['draw'] {
  if (!any) return null;
  return () => ({
    x: epochScale(histories),
    y: { ...scale, nice: true },
    marks: [
      ...axes({ x: 'epoch', y: label, yOptions: { ticks: scale.type === 'log' ? decades(histories, valuesOf) : 5 } }),
      ...histories.flatMap(({ evaluations, colour, label: run }): Markish[] => {
        const rows = evaluations.map((point) => {
          const [train, validation] = valuesOf(point).map((value) => drawable(value, positive));
          return { x: point.x, train: train ?? Number.NaN, validation: validation ?? Number.NaN };
        });
        const title = (side: 'train' | 'validation') => (row: (typeof rows)[number]) =>
          `${run}, epoch ${significant(row.x)}: ${side === 'train' ? 'training' : side} ${significant(row[side])}${label === '%' ? ' %' : ''}`;
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

/** The powers of ten around the values: a logarithmic axis has too many ticks by itself. */
function decades(histories: readonly History[], valuesOf: (point: EvaluationPoint) => readonly number[]): number[] {
  const values = histories.flatMap(({ evaluations }) => evaluations.flatMap(valuesOf));
  const logs = values.flatMap((value) => (drawable(value, true) > 0 ? [Math.log10(value)] : []));
  const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
}

function gapFigure(histories: readonly History[]): Figure {
  const any = histories.some(({ evaluations }) => evaluations.length > 0);
  return {
    id: 'gap',
    title: 'Generalization gap',
    description: 'training accuracy less validation accuracy, in points, over the epochs',
    legend: histories.length > 1 ? histories.map(({ label, colour }) => ({ label, colour })) : [],
    caption: 'Training accuracy less validation accuracy. Above zero the model does better on what it has seen.',
    draw: any
      ? () => ({
          x: epochScale(histories),
          y: { nice: true, zero: true },
          marks: [
            ...axes({ x: 'epoch', y: 'points', yOptions: { ticks: 5 } }),
            ruleY([0], { stroke: 'var(--muted)' }),
            ...histories.flatMap(({ evaluations, colour, label }): Markish[] => {
              const rows = evaluations.map(({ x, gap }) => ({ x, y: drawable(100 * gap.accuracy, false) }));
              return [
                areaY(rows, { x: 'x', y: 'y', fill: colour, fillOpacity: 0.1 }),
                lineY(rows, { x: 'x', y: 'y', stroke: colour, strokeWidth: 2.4 }),
                dot(rows.length <= 40 ? rows : [], {
                  x: 'x',
                  y: 'y',
                  r: 2.6,
                  fill: colour,
                  title: (row: (typeof rows)[number]) =>
                    `${label}, epoch ${significant(row.x)}: ${significant(row.y)} points`,
                }),
              ];
            }),
          ],
        })
      : null,
    empty: NO_EVALUATION,
  };
}

function rateFigure(histories: readonly History[]): Figure {
  return {
    id: 'learning-rate',
    title: 'Learning rate',
    description: 'the learning rate of each step over the epochs',
    legend: histories.length > 1 ? histories.map(({ label, colour }) => ({ label, colour })) : [],
    draw: histories.some(({ steps }) => steps.length > 0)
      ? () => ({
          x: epochScale(histories),
          y: { nice: true, zero: true },
          marks: [
            ...axes({ x: 'epoch', y: null, yOptions: { ticks: 5 } }),
            ...histories.map(({ steps, colour }, i) =>
              // Runs that share a schedule lie on each other: the later one is dashed, so that both are seen.
              lineY(thinned(steps, 300), {
                x: 'x',
                y: 'lr',
                stroke: colour,
                strokeWidth: 2.2,
                ...(i > 0 ? { strokeDasharray: '7 7' } : {}),
              }),
            ),
          ],
        })
      : null,
    empty: 'No training step yet.',
  };
}

/** From the start to where the longest run got. */
export function epochScale(histories: readonly History[]): { domain: [number, number] } {
  const ends = histories.flatMap(({ epochs, last }) => [epochs, last?.x ?? 0]);
  return { domain: [0, Math.max(...ends) || 1] };
}

function drawable(value: number, positive: boolean): number {
  return Number.isFinite(value) && (!positive || value > 0) ? value : Number.NaN;
}
