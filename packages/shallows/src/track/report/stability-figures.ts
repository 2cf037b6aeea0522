import { dot, lineY, type Markish, ruleX } from '@observablehq/plot';
import { grouped, significant, tenths } from '../format.js';
import { axes } from './axes.js';
import type { Figure, Key } from './figure.js';
import type { History, Reading } from './history.js';
import { type Content, html } from './html.js';
import { decades, epochScale, extent } from './scales.js';
import { mean, median, quantile, thinned } from './statistics.js';

const DOTS = 400;
const MOST_SMOOTHED = 2000;

/** The training loss with its spikes, and the norm of the gradient where it was measured. */
export function stabilityFigures(histories: readonly History[]): Figure[] {
  const norms = histories.filter(({ gradNorms }) => gradNorms.length > 0);
  return [lossFigure(histories, norms.length === 0), ...(norms.length > 0 ? [normFigure(norms)] : [])];
}

function lossFigure(histories: readonly History[], full: boolean): Figure {
  const read = histories.filter(({ losses }) => losses.some(({ value }) => Number.isFinite(value)));
  const several = histories.length > 1;
  const spiky = read.some(({ summary }) => summary.stability.spikes > 0);
  return {
    id: 'training-loss',
    title: 'Training loss',
    description: 'the loss of training steps as they were trained, smoothed, with its spikes, over the epochs',
    full,
    height: 300,
    legend: [
      ...read.map(({ label, colour }): Key => ({ label: several ? label : 'smoothed', colour })),
      ...(several ? [] : [{ label: 'of a step', colour: read[0]?.colour ?? '', shape: 'dot' as const }]),
      ...(spiky ? [{ label: 'spike', colour: 'var(--bad)', shape: 'ring' as const }] : []),
    ],
    caption: [
      'As it was trained, with everything that is random. ',
      read.map((history) => stabilityLine(history, several)),
    ],
    draw:
      read.length === 0
        ? null
        : () => ({
            x: epochScale(histories),
            y: { domain: lossDomain(read), nice: true },
            marks: [
              ...axes({ x: 'epoch', y: 'loss', yOptions: { ticks: 5 } }),
              ...read.flatMap((history) => lossMarks(history, lossDomain(read)[1])),
            ],
          }),
    empty: histories.some(({ losses }) => losses.length > 0) ? 'No loss was a finite number.' : 'No training step yet.',
  };
}

/** Without the highest losses of all, which would flatten the others: they are drawn at the upper edge. */
function lossDomain(histories: readonly History[]): [number, number] {
  const all = histories.flatMap(({ losses }) => losses.flatMap(({ value }) => (Number.isFinite(value) ? [value] : [])));
  const [low, high] = extent(all);
  const most = quantile(all, 0.99) ?? high;
  return [Math.min(0, low), Math.min(high, most + (most - low) * 0.25) || 1];
}

function lossMarks({ losses, summary, batchesPerEpoch, colour, label }: History, top: number): Markish[] {
  const { spikesAt, divergence } = summary.stability;
  const shown = thinned(losses, DOTS).filter(({ value }) => Number.isFinite(value) && value <= top);
  const spikes = spikesAt.map(({ batch, loss }) => ({ x: batch / batchesPerEpoch, y: Math.min(loss, top), loss }));
  return [
    dot(shown, { x: 'x', y: 'value', r: 1.6, fill: colour, fillOpacity: 0.35 }),
    lineY(smoothed(losses), { x: 'x', y: 'value', stroke: colour, strokeWidth: 2.2 }),
    ...(divergence === null
      ? []
      : [ruleX([divergence.batch / batchesPerEpoch], { stroke: 'var(--bad)', strokeDasharray: '4 4' })]),
    dot(spikes, {
      x: 'x',
      y: 'y',
      r: 4,
      stroke: 'var(--bad)',
      strokeWidth: 1.8,
      fill: 'none',
      title: (spike: (typeof spikes)[number]) => `${label}, epoch ${tenths(spike.x)}: loss ${significant(spike.loss)}`,
    }),
  ];
}

/** The running median of a thirtieth of the readings around each, evened out by a running mean: spikes leave no trace in it. */
function smoothed(readings: readonly Reading[]): { x: number; value: number }[] {
  const kept = thinned(
    readings.filter(({ value }) => Number.isFinite(value)),
    MOST_SMOOTHED,
  );
  const half = Math.max(2, Math.round(kept.length / 60));
  const around = (values: readonly number[], i: number): readonly number[] =>
    values.slice(Math.max(0, i - half), i + half + 1);
  const values = kept.map(({ value }) => value);
  const medians = values.map((value, i) => median(around(values, i)) ?? value);
  return kept.map(({ x }, i) => ({ x, value: mean(around(medians, i)) }));
}

function stabilityLine({ summary, label, batchesPerEpoch }: History, several: boolean): Content {
  const { readings, spikes, spikesPerThousand, std, divergence } = summary.stability;
  const parts = [
    `${spikes === 0 ? 'no spike' : spikes === 1 ? 'one spike' : `${grouped(spikes)} spikes`} in ${grouped(readings)} readings${spikes === 0 ? '' : ` (${significant(spikesPerThousand)} in a thousand)`}`,
    ...(std === null ? [] : [`standard deviation ${significant(std)} at the end`]),
    ...(divergence === null
      ? []
      : [
          `${divergence.why === 'non-finite' ? 'no finite loss' : 'three times the best trend'} at epoch ${tenths(divergence.batch / batchesPerEpoch)}`,
        ]),
  ];
  return html`<span class="line">${several && `${label}: `}${parts.join(', ')}.</span>`;
}

function normFigure(histories: readonly History[]): Figure {
  const several = histories.length > 1;
  const norms = histories.flatMap(({ gradNorms }) =>
    gradNorms.flatMap(({ value }) => (Number.isFinite(value) && value > 0 ? [value] : [])),
  );
  const [low, high] = extent(norms);
  const log = high > 30 * low;
  return {
    id: 'gradient-norm',
    title: 'Norm of the gradient',
    description: 'the norm of the whole gradient before clipping over the epochs',
    height: 300,
    legend: several ? histories.map(({ label, colour }): Key => ({ label, colour })) : [],
    caption: [
      `Of the whole gradient, before clipping${log ? ', on a logarithmic scale' : ''}. `,
      histories.map(({ summary: { stability }, label }) =>
        stability.gradNorm === null
          ? null
          : html`<span class="line">${several && `${label}: `}mean ${significant(stability.gradNorm.mean)}, largest ${significant(stability.gradNorm.largest)}.</span>`,
      ),
    ],
    draw: () => ({
      x: epochScale(histories),
      y: log ? { type: 'log', nice: true } : { nice: true, zero: true },
      marks: [
        ...axes({ x: 'epoch', y: 'norm', yOptions: { ticks: log ? decades(norms) : 5 } }),
        ...histories.flatMap(({ gradNorms, colour }): Markish[] => {
          const known = gradNorms.filter(({ value }) => Number.isFinite(value) && (value > 0 || !log));
          return [
            dot(thinned(known, DOTS), { x: 'x', y: 'value', r: 1.6, fill: colour, fillOpacity: 0.4 }),
            lineY(smoothed(known), { x: 'x', y: 'value', stroke: colour, strokeWidth: 1.8 }),
          ];
        }),
      ],
    }),
    empty: 'It was not measured.',
  };
}
