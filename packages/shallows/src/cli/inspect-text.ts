import type { Advice } from '../depth/index.js';
import type { HiddenDraw, Inventory, StochasticSite } from '../dropout/index.js';
import { wrapped } from './bars.js';
import type { InspectFacts } from './inspect-facts.js';
import { alignedTable } from './table.js';

/** What an inventory says in a terminal: a line for each random place, and the advice. */
export function inspectText({ inventory, advice, unmeasured }: InspectFacts, columns: number): string {
  const width = Math.max(40, Math.min(columns, 100));
  const { sites, hidden } = inventory;
  const active = sites.filter((site) => site.active && site.reached !== false).length + hidden.length;
  const lines = [
    sites.length + hidden.length === 0 ? 'nothing random in this model\n' : alignedTable(rowsOf(inventory)),
    `\n${String(active)} of ${String(sites.length + hidden.length)} random places active\n`,
    ...shiftLines(inventory, unmeasured, width),
    ...adviceLines(advice, width),
  ];
  return lines.join('');
}

function rowsOf({ sites, hidden }: Inventory): string[][] {
  const places = [
    ...sites.map((site) => ({ position: site.position ?? Number.MAX_VALUE, cells: siteCells(site) })),
    ...hidden.map((draw) => ({ position: draw.position, cells: hiddenCells(draw) })),
  ];
  const rows = places.toSorted((a, b) => a.position - b.position).map(({ cells }) => cells);
  return [['place', 'kind', 'rate', 'covers', 'units', 'scaling', 'after', 'before'], ...rows];
}

function siteCells(site: StochasticSite): string[] {
  const { name, kind, rate, schedule, granularity, fanIn, scaling, follows, before, reached } = site;
  return [
    name,
    kind,
    `${String(Number(rate.toPrecision(4)))}${schedule === null ? '' : ` ${schedule.kind}`}`,
    granularity,
    fanIn === null ? '-' : String(fanIn),
    scaling,
    reached === false ? 'not reached' : (follows ?? '-'),
    before.join(' ') || '-',
  ];
}

function hiddenCells({ operator, rate, module, modes }: HiddenDraw): string[] {
  const where = module === '' ? '(model)' : module;
  return [
    `${where}: ${operator}`,
    'without a key',
    rate === null ? '-' : String(rate),
    modes.join(' '),
    '-',
    '-',
    '-',
    '-',
  ];
}

function shiftLines({ shifts }: Inventory, unmeasured: string | null, width: number): string[] {
  if (shifts.length === 0) return [];
  const rows = shifts.map(({ path, ratio, values }) => [
    path,
    ratio === null ? 'not measured' : ratio.toFixed(3),
    ratio === null ? '' : `${String(values)} values a channel`,
  ]);
  const why = unmeasured === null ? [] : wrapped(`not measured: ${unmeasured}`, width).map((line) => `${line}\n`);
  return ['\nbatch norm behind dropout: running variance over that in evaluation\n', alignedTable(rows), ...why];
}

function adviceLines(advice: readonly Advice[], width: number): string[] {
  if (advice.length === 0) return ['\nadvice  none: nothing here is known to do harm\n'];
  return advice.flatMap(({ severity, code, message, source }) =>
    [
      '',
      ...wrapped(`${severity} ${code}: ${message}`, width),
      ...wrapped(`(${source})`, width - 2).map((line) => `  ${line}`),
    ].map((line) => `${line}\n`),
  );
}
