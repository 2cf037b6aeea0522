import { areaY, dot, lineY, type Markish, ruleX, ruleY } from '@observablehq/plot';
import type { SiteReport } from '../../depth/index.js';
import { percent, siteNoun } from '../format.js';
import { axes } from './axes.js';
import type { Canvas, Figure, Key } from './figure.js';
import type { History } from './history.js';
import { html } from './html.js';
import { epochScale } from './scales.js';
import { mean, quantile } from './statistics.js';

/** Survival of each block, and the number of active blocks over time. */
export function depthFigures(histories: readonly History[]): Figure[] {
  return [survivalFigure(histories), activeFigure(histories)];
}

function survivalFigure(histories: readonly History[]): Figure {
  const dropping = histories.filter(({ depth }) => depth !== null && depth.sites.length > 0);
  const placed = dropping.map((history) => ({ history, rows: survivalRows(history) }));
  const falseAlarm = dropping[0]?.depth?.falseAlarm ?? 0.001;
  const alarms = dropping.flatMap(({ depth }) => depth?.sites.filter((site) => site.alarm) ?? []);
  const unit = unitOf(dropping);
  const noun = dropping.find(({ noun: { one } }) => one === 'branch')?.noun ?? dropping[0]?.noun ?? siteNoun([]);
  const layers = Math.max(0, ...placed.flatMap(({ rows }) => rows.map(({ layer }) => layer + 1)));
  return {
    id: 'survival',
    title: `Survival of each ${noun.one}`,
    description: `share of the training ${unit} in which each ${noun.one} ran, requested against realised`,
    full: true,
    height: 300,
    legend: survivalKeys(dropping, kindsOf(placed.flatMap(({ rows }) => rows)), falseAlarm, alarms.length > 0),
    caption: [
      `Share of the ${unit} in which a ${noun.one} ran. An honest run has all dots inside of the bars with a chance of `,
      percent(1 - falseAlarm),
      '. ',
      alarms.length === 0
        ? 'All are inside.'
        : `${alarms.length === 1 ? `One ${noun.one} is` : `${String(alarms.length)} ${noun.many} are`} not: ${alarms
            .slice(0, 5)
            .map(({ name }) => name)
            .join(', ')}${alarms.length > 5 ? ', …' : ''}.`,
    ],
    draw:
      dropping.length === 0
        ? null
        : (canvas) => ({
            x: { domain: [0.4, layers + 0.6], ticks: 10 },
            y: { domain: [0, 100] },
            marks: [
              ...axes({ x: 'block, from input to output', y: `% of ${unit}`, counts: true, yOptions: { ticks: 5 } }),
              ...placed.flatMap(({ history, rows }) => survivalMarks(history, rows, canvas, layers)),
            ],
          }),
    empty: histories.some(({ drops }) => drops)
      ? 'No data yet: the rates are counted up when a run ends.'
      : 'No block was dropped by design, so there is nothing to compare.',
  };
}

/** What the decisions of the runs are about. */
function unitOf(histories: readonly History[]): string {
  const units = new Set(histories.map(({ unit }) => unit));
  return units.size > 1 ? 'decisions' : units.has('row') ? 'samples' : 'steps';
}

function survivalKeys(
  dropping: readonly History[],
  kinds: readonly string[],
  falseAlarm: number,
  alarms: boolean,
): Key[] {
  const several = dropping.length > 1;
  const ink = dropping[0]?.colour ?? 'var(--ink)';
  const shapes: Key[] =
    kinds.length > 1
      ? kinds.map((kind, i) => ({
          label: kind,
          colour: several ? 'var(--muted)' : ink,
          shape: i % 2 === 0 ? 'dot' : 'ring',
        }))
      : several
        ? []
        : [{ label: 'realised', colour: ink, shape: 'dot' }];
  return [
    ...(several ? dropping.map(({ label, colour }): Key => ({ label, colour, shape: 'dot' })) : []),
    ...shapes,
    { label: 'requested', colour: 'var(--muted)', shape: 'line' },
    { label: `chance, ${percent(1 - falseAlarm)}`, colour: several ? 'var(--muted)' : ink, shape: 'band' },
    ...(alarms ? [{ label: 'outside of chance', colour: 'var(--bad)', shape: 'dot' as const }] : []),
  ];
}

interface SiteRow extends SiteReport {
  readonly kind: string;
  /** From 0. */
  readonly layer: number;
  /** Where it is drawn: the sites of one block stand side by side. */
  readonly x: number;
  readonly wanted: number;
  readonly survived: number;
  readonly low: number;
  readonly high: number;
}

function survivalRows({ depth, places }: History): readonly SiteRow[] {
  const sites = (depth?.sites ?? []).map((site, i) => ({ site, layer: i, kind: '', ...places.get(site.name) }));
  const beside = new Map<number, number>();
  for (const { layer } of sites) beside.set(layer, (beside.get(layer) ?? 0) + 1);
  const drawn = new Map<number, number>();
  return sites.map(({ site, layer, kind }) => {
    const turn = drawn.get(layer) ?? 0;
    drawn.set(layer, turn + 1);
    const count = beside.get(layer) ?? 1;
    return {
      ...site,
      kind,
      layer,
      x: layer + 1 + 0.72 * ((turn + 0.5) / count - 0.5),
      wanted: 100 * (1 - site.requested),
      survived: 100 * (1 - site.realised),
      low: 100 * (1 - site.interval[1]),
      high: 100 * (1 - site.interval[0]),
    };
  });
}

function kindsOf(rows: readonly SiteRow[]): readonly string[] {
  // Blocks of other kinds at other places need no key: the place tells them apart.
  const several = rows.some(({ x }) => !Number.isInteger(x));
  return several ? [...new Set(rows.map(({ kind }) => kind))] : [];
}

/** The requested rates as lines: one, but for kinds that stand side by side with rates of their own. */
function requestedLines(rows: readonly SiteRow[], kinds: readonly string[]): readonly (readonly SiteRow[])[] {
  const wanted = new Map<number, Set<number>>();
  for (const { layer, wanted: share } of rows) wanted.set(layer, (wanted.get(layer) ?? new Set()).add(share));
  if ([...wanted.values()].every((shares) => shares.size === 1)) return [rows];
  return kinds.map((each) => rows.filter(({ kind }) => kind === each));
}

function survivalMarks(
  { colour, label, unit }: History,
  rows: readonly SiteRow[],
  { narrow, width }: Canvas,
  layers: number,
): Markish[] {
  const kinds = kindsOf(rows);
  const room = width / Math.max(1, layers, rows.length);
  const reached = rows.filter(({ opportunities }) => opportunities > 0);
  const what = unit === 'row' ? 'samples' : 'steps';
  const title = (row: SiteRow): string =>
    `${label}, ${row.name}: ran in ${row.survived.toFixed(1)} % of ${String(row.opportunities)} ${what}, ${row.wanted.toFixed(1)} % requested`;
  const ink = (row: SiteRow): string => (row.alarm ? 'var(--bad)' : colour);
  const ring = (row: SiteRow): boolean => kinds.indexOf(row.kind) % 2 === 1;
  const chance =
    room < 6
      ? areaY(rows, { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.18 })
      : ruleX(rows, {
          x: 'x',
          y1: 'low',
          y2: 'high',
          stroke: colour,
          strokeOpacity: 0.22,
          strokeWidth: Math.min(14, room * 0.5),
          strokeLinecap: 'butt',
        });
  return [
    chance,
    ...requestedLines(rows, kinds).map((line) =>
      lineY(line, { x: 'x', y: 'wanted', stroke: 'var(--muted)', strokeWidth: 1.4 }),
    ),
    dot(reached, {
      x: 'x',
      y: 'survived',
      r: room < 6 ? 1.8 : narrow ? 2.8 : 4.2,
      fill: (row: SiteRow) => (ring(row) ? 'var(--card)' : ink(row)),
      stroke: (row: SiteRow) => (ring(row) ? ink(row) : 'var(--card)'),
      strokeWidth: kinds.length > 1 ? 1.6 : room < 6 ? 0 : 1,
      title,
    }),
  ];
}

function activeFigure(histories: readonly History[]): Figure {
  const counted = histories.filter(({ steps, sites }) => steps.length > 0 && sites > 0);
  const most = Math.max(1, ...counted.map(({ sites }) => sites));
  const dropping = counted.filter(({ expectedActive, sites }) => expectedActive < sites);
  const noun = counted.find(({ noun: { one } }) => one === 'branch')?.noun ?? siteNoun([]);
  return {
    id: 'active',
    title: 'Active depth over time',
    description: `number of ${noun.many} that ran in a step, over the epochs, against the expected number`,
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
      ({ label, expectedActive, realisedActive, sites, noun: { many } }) =>
        realisedActive !== null &&
        html`<span class="line">${histories.length > 1 && `${label}: `}${realisedActive.toFixed(2)} of ${sites} ${many} ran in the mean step, ${expectedActive.toFixed(2)} were expected.</span>`,
    ),
    draw:
      counted.length === 0
        ? null
        : ({ narrow }) => ({
            x: epochScale(histories),
            y: { domain: [0, most] },
            marks: [
              ...axes({ x: 'epoch', y: noun.many, yOptions: { ticks: Math.min(6, most) } }),
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
      expected: mean(part.map((step) => step.expected)),
      low: quantile(active, 0.1),
      high: quantile(active, 0.9),
    };
  });
  const drops = expectedActive < sites;
  const changing = new Set(steps.map((step) => step.expected)).size > 1 && bins.length > 1;
  const dashes = { stroke: 'var(--ink)', strokeWidth: 1.3, strokeDasharray: '5 4' };
  return [
    ...(drops && size > 1
      ? [areaY(bins, { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.14, curve: 'step' })]
      : []),
    bins.length === 1
      ? dot(bins, { x: 'x', y: 'mean', fill: colour, r: 3 })
      : lineY(bins, { x: 'x', y: 'mean', stroke: colour, strokeWidth: 2 }),
    ...(!drops
      ? []
      : changing
        ? [lineY(bins, { x: 'x', y: 'expected', ...dashes })]
        : [ruleY([expectedActive], dashes)]),
  ];
}
