import { areaY, dot, line, lineY, type Markish, ruleX, ruleY } from '@observablehq/plot';
import { type Counted, grouped, siteNoun, span } from '../format.js';
import { axes } from './axes.js';
import type { Figure, Key } from './figure.js';
import type { History, StepPoint } from './history.js';
import { type Content, html } from './html.js';
import { epochScale, extent } from './scales.js';
import { median, quantile, theilSen, thinned } from './statistics.js';

const NO_STEP = 'No training step yet.';
/** Enough for the eye, and for a median over all pairs. */
const DOTS = 350;
const BINS = 36;

/** Time of a step against the number of its active blocks, and how step times are distributed. */
export function timeFigures(histories: readonly History[]): Figure[] {
  const timed = histories.filter(({ steps }) => steps.length > 0);
  // Compiling, caches and a busy machine make a few steps many times as long; they would flatten all others.
  const all = timed.flatMap(({ steps }) => steps.map(({ durationMs }) => durationMs));
  const ceiling = 1.15 * (quantile(all, 0.985) ?? 0);
  return [scatterFigure(timed, ceiling), distributionFigure(timed, ceiling)];
}

function scatterFigure(timed: readonly History[], ceiling: number): Figure {
  const slower = timed.reduce(
    (sum, { steps }) => sum + steps.filter(({ durationMs }) => durationMs > ceiling).length,
    0,
  );
  // Where all steps ran as many blocks, to less than one, a strip of dots says nothing; over time they show pauses and warming up.
  const [fewest, most] = extent(timed.flatMap(({ steps }) => steps.map(({ active }) => active)));
  if (most - fewest < 1 && timed.length > 0) return overTimeFigure(timed, ceiling, slower, most > fewest);
  const shown = timed.map((history) => {
    const points = thinned(history.steps, DOTS).map(({ active, durationMs }) => ({ x: active, y: durationMs }));
    return { ...history, points: points.filter(({ y }) => y <= ceiling), fit: theilSen(points) };
  });
  const actives = shown.flatMap(({ points }) => points.map(({ x }) => x));
  // Dots of whole numbers would lie on each other; the means that rows have lie apart already.
  const whole = actives.every(Number.isInteger);
  const { many } = nounOf(timed);
  return {
    id: 'step-time',
    title: `Time of a step against its active ${many}`,
    description: `milliseconds of a training step against the number of ${many} that ran in it, with a line fitted`,
    height: 300,
    legend: timed.length > 1 ? timed.map(({ label, colour }): Key => ({ label, colour, shape: 'dot' })) : [],
    caption: [
      shown.map(
        ({ label, fit, noun }) =>
          fit && html`<span class="line">${timed.length > 1 ? `${label}: ` : ''}${costText(fit.slope, noun)}</span>`,
      ),
      slowerText(slower),
      shown.some(({ fit }) => fit !== null) && 'The line is a Theil–Sen fit.',
    ],
    draw:
      timed.length === 0
        ? null
        : () => ({
            x: { domain: [Math.min(...actives) - 0.6, Math.max(...actives) + 0.6] },
            y: { domain: [0, ceiling], nice: true },
            marks: [
              ...axes({ x: `active ${many}`, y: 'ms', counts: true, yOptions: { ticks: 5 } }),
              ...shown.flatMap(({ points, colour, fit }): Markish[] => [
                dot(points, {
                  x: (_: unknown, i: number) => (points[i]?.x ?? 0) + (whole ? spread(i) : 0),
                  y: 'y',
                  r: 1.8,
                  fill: colour,
                  fillOpacity: 0.4,
                }),
                ...(fit === null
                  ? []
                  : [line(ends(points, fit), { x: 'x', y: 'y', stroke: colour, strokeWidth: 2.2 })]),
              ]),
            ],
          }),
    empty: NO_STEP,
  };
}

function overTimeFigure(timed: readonly History[], ceiling: number, slower: number, about: boolean): Figure {
  return {
    id: 'step-time',
    title: 'Time of a step',
    description: 'milliseconds of a training step over the epochs',
    height: 300,
    legend: timed.length > 1 ? timed.map(({ label, colour }): Key => ({ label, colour, shape: 'dot' })) : [],
    caption: [
      timed.some(({ sites }) => sites > 0) && `All steps ran ${about ? 'about ' : ''}as many ${nounOf(timed).many}. `,
      slowerText(slower),
    ],
    draw: () => ({
      x: epochScale(timed),
      y: { domain: [0, ceiling], nice: true },
      marks: [
        ...axes({ x: 'epoch', y: 'ms', yOptions: { ticks: 5 } }),
        ...timed.map(({ steps, colour }) =>
          dot(
            thinned(steps, DOTS).filter(({ durationMs }) => durationMs <= ceiling),
            { x: 'x', y: 'durationMs', r: 1.8, fill: colour, fillOpacity: 0.5 },
          ),
        ),
      ],
    }),
    empty: NO_STEP,
  };
}

function slowerText(slower: number): string {
  return slower === 0 ? '' : `${grouped(slower)} slower ${slower === 1 ? 'step is' : 'steps are'} not shown. `;
}

/** Blocks, or branches where a block of any run has several. */
function nounOf(histories: readonly History[]): Counted {
  return (histories.find(({ noun }) => noun.one === 'branch') ?? histories[0])?.noun ?? siteNoun([]);
}

function costText(slope: number, { one, many }: Counted): string {
  return slope > 0
    ? `an active ${one} takes about ${span(slope)} of a step.`
    : `steps with more active ${many} took no longer.`;
}

/** Moves dots of one number of blocks apart: the golden ratio's multiples fill an interval evenly. */
function spread(index: number): number {
  return (((index * 0.6180339887498949) % 1) - 0.5) * 0.5;
}

function ends(
  points: readonly { readonly x: number }[],
  { slope, intercept }: { readonly slope: number; readonly intercept: number },
) {
  const xs = points.map(({ x }) => x);
  return [Math.min(...xs), Math.max(...xs)].map((x) => ({ x, y: intercept + slope * x }));
}

interface Group {
  readonly label: string;
  readonly colour: string;
  readonly durations: readonly number[];
}

function distributionFigure(timed: readonly History[], ceiling: number): Figure {
  const groups = groupsOf(timed);
  const floor = 0.97 * Math.min(...groups.flatMap(({ durations }) => [quantile(durations, 0) ?? 0]));
  return {
    id: 'step-times',
    title:
      timed.length > 1
        ? 'Step times of the runs'
        : groups.length > 1
          ? `Step times with and without dropped ${nounOf(timed).many}`
          : 'Step times',
    description: 'how the durations of training steps are distributed',
    height: 300,
    legend: groups.map(({ label, colour }): Key => ({ label, colour, shape: 'band' })),
    caption: medians(groups),
    draw:
      timed.length === 0
        ? null
        : () => ({
            x: { domain: [floor, ceiling] },
            y: { zero: true, nice: true },
            marks: distributionMarks(groups, floor, ceiling),
          }),
    empty: NO_STEP,
  };
}

function groupsOf(timed: readonly History[]): Group[] {
  const durations = (steps: readonly StepPoint[]): number[] => steps.map(({ durationMs }) => durationMs);
  const [only] = timed;
  if (timed.length > 1 || only === undefined)
    return timed.map(({ label, colour, steps }) => ({ label, colour, durations: durations(steps) }));
  const groups = [
    {
      label: `some ${only.noun.many} dropped`,
      colour: only.colour,
      durations: durations(only.steps.filter(({ active }) => active < only.sites)),
    },
    {
      label: only.sites > 0 ? `all ${only.noun.many} ran` : 'all steps',
      colour: 'var(--muted)',
      durations: durations(only.steps.filter(({ active }) => active >= only.sites)),
    },
  ];
  return groups.filter((group) => group.durations.length > 0);
}

function medians(groups: readonly Group[]): Content {
  return groups.map(({ label, durations }) => {
    const middle = median(durations);
    const steps = `${grouped(durations.length)} ${durations.length === 1 ? 'step' : 'steps'}`;
    return html`<span class="line">${label}: median <b>${span(middle ?? Number.NaN)}</b> of ${steps}.</span>`;
  });
}

function distributionMarks(groups: readonly Group[], floor: number, ceiling: number): Markish[] {
  const width = (ceiling - floor) / BINS;
  return [
    ...axes({ x: 'ms', y: '% of steps', yOptions: { ticks: 5 } }),
    ...groups.flatMap(({ durations, colour }): Markish[] => {
      const counts = Array.from({ length: BINS }, () => 0);
      for (const duration of durations) {
        const bin = Math.min(BINS - 1, Math.floor((duration - floor) / width));
        if (duration <= ceiling) counts[bin] = (counts[bin] ?? 0) + 1;
      }
      // A step curve turns halfway between its points: centres give bins their true edges.
      const rows = [-1, ...counts.keys(), BINS].map((bin) => ({
        x: floor + (bin + 0.5) * width,
        y: (100 * (counts[bin] ?? 0)) / durations.length,
      }));
      const clipped = { clip: true } as const;
      return [
        areaY(rows, { x: 'x', y: 'y', fill: colour, fillOpacity: 0.16, curve: 'step', ...clipped }),
        lineY(rows, { x: 'x', y: 'y', stroke: colour, strokeWidth: 1.8, curve: 'step', ...clipped }),
        ruleX([median(durations)], { stroke: colour, strokeWidth: 1.6, strokeDasharray: '3 3' }),
      ];
    }),
    ruleY([0], { stroke: 'var(--muted)' }),
  ];
}
