import { areaY, dot, line, type Markish } from '@observablehq/plot';
import type { CalibrationMeasures } from '../evaluation/measured.js';
import { grouped, significant } from '../format.js';
import { axes } from './axes.js';
import type { Figure } from './figure.js';
import type { History } from './history.js';
import { html } from './html.js';

interface Measured {
  readonly label: string;
  readonly colour: string;
  readonly measures: CalibrationMeasures;
}

/** The reliability diagrams of runs whose calibration was measured: one for each kind of prediction. */
export function calibrationFigures(histories: readonly History[]): Figure[] {
  const measured = histories.flatMap(({ label, colour, run: { evaluation } }) =>
    (evaluation?.calibration ?? []).map((measures): Measured => ({ label, colour, measures })),
  );
  const names = [...new Set(measured.map(({ measures }) => measures.name))];
  return names.map((name, i) =>
    reliabilityFigure(
      name,
      measured.filter(({ measures }) => measures.name === name),
      { index: i, named: histories.length > 1 },
    ),
  );
}

/** Confidence against accuracy in bins of equally many rows, with what chance makes of a calibrated model. */
function reliabilityFigure(
  name: string,
  measured: readonly Measured[],
  { index, named }: { readonly index: number; readonly named: boolean },
): Figure {
  return {
    id: index === 0 ? 'reliability' : `reliability-${String(index + 1)}`,
    title: `Reliability, ${name === 'plain' ? 'plain prediction' : name}`,
    description: 'share of right rows against mean confidence in bins of equally many rows, with the band of chance',
    legend: [
      ...measured.map(({ label, colour }) => ({ label: named ? label : 'accuracy', colour, shape: 'dot' as const })),
      ...(named ? [] : [{ label: '95 % by chance', colour: measured[0]?.colour ?? '', shape: 'band' as const }]),
      { label: 'as it says', colour: 'var(--muted)', shape: 'dashed' as const },
    ],
    caption: [
      'A point below the line is surer than right. ',
      measured.map(
        ({ label, measures }) => html`<span class="line">${named && `${label}: `}${verdictOf(measures)}</span>`,
      ),
    ],
    draw: () => ({
      x: { domain: [0, 1] },
      y: { domain: [0, 1] },
      marks: [
        ...axes({ x: 'mean confidence', y: 'accuracy', yOptions: { ticks: 5 } }),
        line(
          [
            [0, 0],
            [1, 1],
          ],
          { stroke: 'var(--muted)', strokeDasharray: '4 4' },
        ),
        ...measured.flatMap((each) => reliabilityMarks(each, named)),
      ],
    }),
    empty: '',
  };
}

function reliabilityMarks({ label, colour, measures }: Measured, named: boolean): Markish[] {
  const bins = measures.equalMass.bins.flatMap(({ confidence, accuracy, chance, count }) =>
    accuracy === null || chance === null ? [] : [{ confidence, accuracy, low: chance[0], high: chance[1], count }],
  );
  return [
    ...(named || bins.length < 2
      ? []
      : [areaY(bins, { x: 'confidence', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.14 })]),
    line(bins, { x: 'confidence', y: 'accuracy', stroke: colour, strokeWidth: 1.5 }),
    dot(bins, {
      x: 'confidence',
      y: 'accuracy',
      fill: colour,
      r: 3,
      title: ({ confidence, accuracy, count }: (typeof bins)[number]) =>
        `${label}: ${significant(accuracy)} right of ${grouped(count)} rows with a mean confidence of ${significant(confidence)}`,
    }),
  ];
}

function verdictOf({ equalMass: { ece, verdict }, temperature }: CalibrationMeasures): string {
  const found = `${verdict}, expected calibration error ${significant(ece.value)} where chance gives up to ${significant(ece.chanceUpper)}`;
  const fit =
    temperature.refusal === null
      ? `temperature ${significant(temperature.temperature)}`
      : `no temperature: ${temperature.refusal}`;
  return `${found}; ${fit}.`;
}
