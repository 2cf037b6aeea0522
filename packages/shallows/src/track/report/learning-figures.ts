import { lineY } from '@observablehq/plot';
import { axes } from './axes.js';
import { evaluationCurves, type Pair } from './evaluation-curves.js';
import type { Figure, Key } from './figure.js';
import { gapFigures } from './gap-figure.js';
import type { History } from './history.js';
import { epochScale, extent } from './scales.js';
import { thinned } from './statistics.js';

const NO_EVALUATION = 'No evaluation yet.';

/** Loss, metrics, gaps and learning rate over the epochs. */
export function learningFigures(histories: readonly History[]): Figure[] {
  return [lossFigure(histories), ...metricFigures(histories), ...gapFigures(histories), rateFigure(histories)];
}

function lossFigure(histories: readonly History[]): Figure {
  const losses = histories.flatMap(({ evaluations }) =>
    evaluations.flatMap(({ train, validation }) => [train.loss, validation.loss]),
  );
  const positive = losses.filter((loss) => Number.isFinite(loss) && loss > 0);
  const [low, high] = extent(positive);
  const log = positive.length > 0 && high > 30 * low;
  const lost = losses.filter((loss) => !Number.isFinite(loss) || (log && loss <= 0)).length;
  const entropy = histories.every(({ run }) => run.record.data.task !== 'regression');
  return {
    id: 'loss',
    title: 'Loss',
    description: 'the loss on the validation set and on training rows, both in evaluation mode, over the epochs',
    legend: curveKeys(histories, histories.length > 1),
    caption: [
      `${entropy ? 'Cross entropy' : 'Loss'} in evaluation mode`,
      log && ', on a logarithmic scale',
      '.',
      lost > 0 &&
        ` ${String(lost)} of ${String(losses.length)} losses cannot be drawn: they are ${log ? 'zero or ' : ''}not finite.`,
    ],
    draw:
      positive.length === 0
        ? null
        : evaluationCurves(histories, ({ train, validation }): Pair => [train.loss, validation.loss], {
            label: 'loss',
            log,
          }),
    empty: losses.length === 0 ? NO_EVALUATION : 'No loss was a finite number.',
  };
}

/** One picture for each metric that runs are judged by. */
function metricFigures(histories: readonly History[]): Figure[] {
  const names = [...new Set(histories.map(({ primary }) => primary.name))].filter((name) => name !== 'loss');
  return names.map((name, i) => {
    const judged = histories.filter(({ primary }) => primary.name === name);
    const words = judged[0]?.words;
    const [title, noun, scale, unit] = [
      words?.title ?? name,
      words?.noun ?? name,
      words?.scale ?? 1,
      words?.unit ?? '',
    ];
    return {
      id: i === 0 ? 'metric' : `metric-${String(i + 1)}`,
      title,
      description: `${noun} on the validation set and on training rows, both in evaluation mode, over the epochs`,
      legend: curveKeys(judged, histories.length > 1),
      caption: `Both sets without augmentation, in evaluation mode: ${judged.some(({ sites }) => sites > 0) ? 'every block runs' : 'nothing is dropped'}.`,
      draw: judged.some(({ evaluations }) => evaluations.length > 0)
        ? evaluationCurves(judged, ({ primary }): Pair => [scale * primary.train, scale * primary.validation], {
            label: unit === '' ? noun : unit,
            unit,
          })
        : null,
      empty: NO_EVALUATION,
    };
  });
}

function curveKeys(histories: readonly History[], named: boolean): Key[] {
  if (!named) {
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
