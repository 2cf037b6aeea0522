import { areaY, dot, lineY, type Markish, ruleX, ruleY } from '@observablehq/plot';
import type { SiteReport } from '../../depth/index.js';
import { percent } from '../format.js';
import { axes } from './axes.js';
import type { Canvas, Figure, Key } from './figure.js';
import type { History } from './history.js';
import { html } from './html.js';
import { epochScale } from './learning-figures.js';
import { mean, quantile } from './statistics.js';

/** Survival of each block, and the number of active blocks over time. */
export function depthFigures(histories: readonly History[]): Figure[] {
  return [survivalFigure(histories), activeFigure(histories)];
}

function survivalFigure(histories: readonly History[]): Figure {
  const dropping = histories.filter(({ depth }) => depth !== null && depth.sites.length > 0);
  const several = dropping.length > 1;
  const falseAlarm = dropping[0]?.depth?.falseAlarm ?? 0.001;
  const alarms = dropping.flatMap(({ depth }) => depth?.sites.filter((site) => site.alarm) ?? []);
  const ink = dropping[0]?.colour ?? 'var(--ink)';
  const keys: Key[] = several
    ? [
        ...dropping.map(({ label, colour }): Key => ({ label, colour, shape: 'dot' })),
        { label: 'requested', colour: 'var(--muted)', shape: 'line' },
        { label: `chance, ${percent(1 - falseAlarm)}`, colour: 'var(--muted)', shape: 'band' },
      ]
    : [
        { label: 'realised', colour: ink, shape: 'dot' },
        { label: 'requested', colour: 'var(--muted)', shape: 'line' },
        { label: `chance, ${percent(1 - falseAlarm)}`, colour: ink, shape: 'band' },
      ];
  return {
    id: 'survival',
    title: 'Survival of each block',
    description: 'share of the training steps in which each block ran, requested against realised',
    full: true,
    height: 300,
    legend: [
      ...keys,
      ...(alarms.length > 0 ? [{ label: 'outside of chance', colour: 'var(--bad)', shape: 'dot' as const }] : []),
    ],
    caption: [
      'Share of the steps in which a block ran. An honest run has all dots inside of the bars with a chance of ',
      percent(1 - falseAlarm),
      '. ',
      alarms.length === 0
        ? 'All are inside.'
        : `${alarms.length === 1 ? 'One block is' : `${String(alarms.length)} blocks are`} not: ${alarms
            .slice(0, 5)
            .map(({ name }) => name)
            .join(', ')}${alarms.length > 5 ? ', …' : ''}.`,
    ],
    draw:
      dropping.length === 0
        ? null
        : (canvas) => ({
            x: { domain: [0.4, Math.max(...dropping.map(({ depth }) => depth?.sites.length ?? 0)) + 0.6], ticks: 10 },
            y: { domain: [0, 100] },
            marks: [
              ...axes({ x: 'block, from input to output', y: '% of steps', counts: true, yOptions: { ticks: 5 } }),
              ...dropping.flatMap((history) => survivalMarks(history, canvas)),
            ],
          }),
    empty: histories.some(({ drops }) => drops)
      ? 'No data yet: the rates are counted up when a run ends.'
      : 'No block was dropped by design, so there is nothing to compare.',
  };
}

interface SiteRow extends SiteReport {
  readonly block: number;
  readonly wanted: number;
  readonly survived: number;
  readonly low: number;
  readonly high: number;
}

function survivalMarks({ depth, colour, label }: History, { narrow, width }: Canvas): Markish[] {
  const rows = (depth?.sites ?? []).map(
    (site, i): SiteRow => ({
      ...site,
      block: i + 1,
      wanted: 100 * (1 - site.requested),
      survived: 100 * (1 - site.realised),
      low: 100 * (1 - site.interval[1]),
      high: 100 * (1 - site.interval[0]),
    }),
  );
  const room = width / Math.max(1, rows.length);
  const reached = rows.filter(({ opportunities }) => opportunities > 0);
  const title = (row: SiteRow): string =>
    `${label}, ${row.name}: ran in ${row.survived.toFixed(1)} % of ${String(row.opportunities)} steps, ${row.wanted.toFixed(1)} % requested`;
  const chance =
    room < 6
      ? areaY(rows, { x: 'block', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.18 })
      : ruleX(rows, {
          x: 'block',
          y1: 'low',
          y2: 'high',
          stroke: colour,
          strokeOpacity: 0.22,
          strokeWidth: Math.min(14, room * 0.5),
          strokeLinecap: 'butt',
        });
  return [
    chance,
    lineY(rows, { x: 'block', y: 'wanted', stroke: 'var(--muted)', strokeWidth: 1.4 }),
    dot(reached, {
      x: 'block',
      y: 'survived',
      r: room < 6 ? 1.8 : narrow ? 2.8 : 4.2,
      fill: (row: SiteRow) => (row.alarm ? 'var(--bad)' : colour),
      stroke: 'var(--card)',
      strokeWidth: room < 6 ? 0 : 1,
      title,
    }),
  ];
}

function activeFigure(histories: readonly History[]): Figure {
  const counted = histories.filter(({ steps, sites }) => steps.length > 0 && sites > 0);
  const most = Math.max(1, ...counted.map(({ sites }) => sites));
  const dropping = counted.filter(({ expectedActive, sites }) => expectedActive < sites);
  return {
    id: 'active',
    title: 'Active depth over time',
    description: 'number of blocks that ran in a step, over the epochs, against the expected number',
    full: true,
    height: 260,
    legend: [
      ...counted.map(({ label, colour }): Key => ({ label: counted.length > 1 ? label : 'mean', colour })),
      ...(dropping.length > 0 ? [{ label: 'expected', colour: 'var(--ink)', shape: 'dashed' as const }] : []),
      ...(dropping.length > 0
        ? [
            {
              label: 'eight of ten steps',
              colour: dropping.length === 1 ? (dropping[0]?.colour ?? '') : 'var(--muted)',
              shape: 'band' as const,
            },
          ]
        : []),
    ],
    caption: counted.map(
      ({ label, expectedActive, realisedActive, sites }) =>
        realisedActive !== null &&
        html`<span class="line">${histories.length > 1 && `${label}: `}${realisedActive.toFixed(2)} of ${sites} blocks ran in the mean step, ${expectedActive.toFixed(2)} were expected.</span>`,
    ),
    draw:
      counted.length === 0
        ? null
        : ({ narrow }) => ({
            x: epochScale(histories),
            y: { domain: [0, most] },
            marks: [
              ...axes({ x: 'epoch', y: 'blocks', yOptions: { ticks: Math.min(6, most) } }),
              ...counted.flatMap((history) => activeMarks(history, narrow ? 50 : 140)),
            ],
          }),
    empty: histories.every(({ sites }) => sites === 0)
      ? 'The model has no block that could be dropped.'
      : 'No training step yet.',
  };
}

function activeMarks({ steps, colour, expectedActive, sites }: History, most: number): Markish[] {
  // Less than a dozen steps in a bin show the draw of the dice and no trend.
  const size = Math.max(Math.ceil(steps.length / most), Math.min(12, Math.ceil(steps.length / 10)));
  const bins = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) => {
    const part = steps.slice(i * size, (i + 1) * size);
    const active = part.map((step) => step.active);
    return {
      x: mean(part.map((step) => step.x)),
      mean: mean(active),
      low: quantile(active, 0.1),
      high: quantile(active, 0.9),
    };
  });
  const drops = expectedActive < sites;
  return [
    ...(drops && size > 1
      ? [areaY(bins, { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.14, curve: 'step' })]
      : []),
    bins.length === 1
      ? dot(bins, { x: 'x', y: 'mean', fill: colour, r: 3 })
      : lineY(bins, { x: 'x', y: 'mean', stroke: colour, strokeWidth: 2 }),
    ...(drops ? [ruleY([expectedActive], { stroke: 'var(--ink)', strokeWidth: 1.3, strokeDasharray: '5 4' })] : []),
  ];
}
