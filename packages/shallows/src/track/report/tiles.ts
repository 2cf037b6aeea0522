import { bytes, grouped, percent, span, steady } from '../format.js';
import { signed } from '../metric-words.js';
import { activeTitle, type History, sharedWords } from './history.js';
import { type Html, html } from './html.js';

/** More runs than that are read in the table. */
const MOST_RUNS = 3;

interface Tile {
  readonly name: string | ((histories: readonly History[]) => string);
  readonly value: (history: History) => string | null;
  /** Said below, in small letters. */
  readonly note?: (history: History) => string | null;
}

const tiles: readonly Tile[] = [
  {
    name: (histories) => `Validation ${sharedWords(histories)?.noun ?? 'metric'}`,
    value: ({ last, words }) => last && words.shown(last.primary.validation),
    note: ({ last, best, words }) =>
      last && best && best.x < last.x ? `best ${words.shown(best.primary.validation)}` : null,
  },
  {
    name: 'Generalization gap',
    value: ({ last, words }) =>
      last && Number.isFinite(last.reading.gap) ? signed(last.reading.gap, words.size).replace(/^\+/, '') : null,
    note: ({ last, words }) =>
      last?.reading.error == null ? null : `± ${words.size(1.645 * last.reading.error)} by chance`,
  },
  {
    name: 'Stability',
    value: ({ summary: { stability } }) =>
      stability.divergence !== null
        ? 'diverged'
        : stability.readings === 0
          ? null
          : `${grouped(stability.spikes)} ${stability.spikes === 1 ? 'spike' : 'spikes'}`,
    note: ({ summary: { stability } }) => (stability.readings === 0 ? null : `${grouped(stability.readings)} readings`),
  },
  {
    name: 'Efficiency',
    value: ({ summary: { efficiency } }) =>
      efficiency.samplesPerSecond === null
        ? null
        : `${efficiency.samplesPerSecond >= 100 ? grouped(efficiency.samplesPerSecond) : steady(efficiency.samplesPerSecond)} /s`,
    note: ({ summary: { efficiency } }) =>
      efficiency.dataWaitShare === null ? null : `${percent(efficiency.dataWaitShare)} waiting for data`,
  },
  {
    name: 'Time of a step',
    value: ({ timing }) => timing && span(timing.medianStepMs),
    note: ({ timing }) => timing && `${span(timing.totalMs)} in all`,
  },
];

const active: Tile = {
  name: activeTitle,
  value: ({ realisedActive, sites }) =>
    realisedActive !== null && sites > 0 ? `${realisedActive.toFixed(1)} / ${String(sites)}` : null,
  note: ({ drops, depth }) =>
    drops && depth !== null && depth.workSaved !== null ? `${percent(depth.workSaved)} of the work skipped` : null,
};

/** In place of that, for models without blocks that could be dropped. */
const memory: Tile = {
  name: 'Peak memory',
  value: ({ peakMemoryBytes }) => (peakMemoryBytes === null ? null : bytes(peakMemoryBytes)),
};

/** Six large numbers for each of a few runs. */
export function tileRow(histories: readonly History[]): Html {
  if (histories.length > MOST_RUNS) return html``;
  const last = histories.some(({ sites }) => sites > 0) ? active : memory;
  return html`<div class="tiles">
${[...tiles, last].map(
  ({
    name,
    value,
    note,
  }) => html`<div class="card tile"><h3>${typeof name === 'string' ? name : name(histories)}</h3><dl>${histories.map(
    (history) =>
      html`<div><dt${histories.length === 1 && html` class="hidden"`}><i class="key dot" style="color:${history.colour}"></i>${history.label}</dt><dd>${value(history) ?? '–'}${small(note?.(history))}</dd></div>`,
  )}</dl></div>
`,
)}</div>
`;
}

function small(text: string | null | undefined): Html | null {
  return text == null ? null : html`<small>${text}</small>`;
}
