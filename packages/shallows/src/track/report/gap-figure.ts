import { areaY, dot, lineY, type Markish, ruleY } from '@observablehq/plot';
import { significant } from '../format.js';
import { axes } from './axes.js';
import { drawable } from './evaluation-curves.js';
import type { Figure, Key } from './figure.js';
import type { History } from './history.js';
import { type Content, html } from './html.js';
import { epochScale } from './scales.js';

const WARN = 0.02;
const ALERT = 0.03;
const Z_ONE_SIDED = 1.645;

/** How far training is better than validation, with what chance alone makes of it: one picture for each metric. */
export function gapFigures(histories: readonly History[]): Figure[] {
  const names = [...new Set(histories.map(({ primary }) => primary.name))];
  return names.map((name, i) =>
    gapFigure(
      histories.filter(({ primary }) => primary.name === name),
      { index: i, named: histories.length > 1 },
    ),
  );
}

function gapFigure(
  histories: readonly History[],
  { index, named }: { readonly index: number; readonly named: boolean },
): Figure {
  const words = histories[0]?.words;
  const [noun, scale] = [words?.noun ?? '', words?.scale ?? 1];
  const unit = words?.unit === '%' ? 'points' : noun;
  const higher = histories[0]?.primary.better !== 'lower';
  const any = histories.some(({ evaluations }) => evaluations.length > 0);
  const noisy = histories.some(({ rows }) => rows !== null);
  return {
    id: index === 0 ? 'gap' : `gap-${String(index + 1)}`,
    title: 'Generalization gap',
    description: `${higher ? `training ${noun} less validation ${noun}` : `validation ${noun} less training ${noun}`} over the epochs, with the interval of chance`,
    legend: gapKeys(histories, { noisy, named }),
    caption: [
      higher
        ? `Training ${noun} less validation ${noun}, in evaluation mode.`
        : `Validation ${noun} less training ${noun}, in evaluation mode.`,
      ' Above zero the model does better on what it has seen. ',
      histories.map((history) => verdictLine(history, named)),
    ],
    draw: any
      ? () => ({
          x: epochScale(histories),
          y: { nice: true, zero: true },
          marks: [
            ...axes({ x: 'epoch', y: unit, yOptions: { ticks: 5 } }),
            ruleY([0], { stroke: 'var(--muted)' }),
            ...(noisy ? [ruleY([scale * ALERT], { stroke: 'var(--bad)', strokeDasharray: '4 4' })] : []),
            ...histories.flatMap((history) => gapMarks(history, scale, unit)),
          ],
        })
      : null,
    empty: 'No evaluation yet.',
  };
}

function gapKeys(
  histories: readonly History[],
  { noisy, named }: { readonly noisy: boolean; readonly named: boolean },
): Key[] {
  const ink = histories[0]?.colour ?? '';
  return [
    ...(named ? histories.map(({ label, colour }): Key => ({ label, colour })) : [{ label: 'gap', colour: ink }]),
    ...(noisy
      ? [
          { label: '90 % by chance', colour: named ? 'var(--muted)' : ink, shape: 'band' as const },
          { label: `alert, ${String(100 * ALERT)} points`, colour: 'var(--bad)', shape: 'dashed' as const },
        ]
      : []),
  ];
}

function gapMarks({ evaluations, colour, label }: History, scale: number, unit: string): Markish[] {
  const rows = evaluations.map(({ x, reading: { gap, error } }) => {
    const half = Z_ONE_SIDED * (error ?? Number.NaN);
    return {
      x,
      y: drawable(scale * gap),
      low: drawable(scale * (gap - half)),
      high: drawable(scale * (gap + half)),
    };
  });
  return [
    areaY(
      rows.filter(({ low }) => Number.isFinite(low)),
      { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.14 },
    ),
    lineY(rows, { x: 'x', y: 'y', stroke: colour, strokeWidth: 2.4 }),
    dot(rows.length <= 40 ? rows : [], {
      x: 'x',
      y: 'y',
      r: 2.6,
      fill: colour,
      title: (row: (typeof rows)[number]) => `${label}, epoch ${significant(row.x)}: ${significant(row.y)} ${unit}`,
    }),
  ];
}

function verdictLine({ last, label, words }: History, several: boolean): Content {
  if (last === null) return null;
  const { gap, error, atLeast, verdict } = last.reading;
  const who = several ? `${label}: ` : '';
  if (error === null || atLeast === null)
    return (
      !several && html`<span class="line">Nothing is known of the noise of this metric, so there is no verdict.</span>`
    );
  const least = words.size(Math.max(0, atLeast));
  const said = {
    unknown: 'three evaluations are needed for a verdict',
    fine:
      atLeast > WARN
        ? `at least ${least} of it are no chance, but not yet in three evaluations in a row`
        : 'chance, or too small to matter',
    warn: `at least ${least} of it are no chance, in the last three evaluations`,
    alert: `an alert: at least ${least} of it are no chance, in the last three evaluations`,
  }[verdict];
  return html`<span class="line">${who}${gap < 0 ? '−' : ''}${words.size(gap)}, ${said}.</span>`;
}
