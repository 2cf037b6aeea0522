import { bytes, grouped, percent, significant, span, steady, tenths } from '../format.js';
import { signed } from '../metric-words.js';
import { type Contrast, contrastOf } from './contrast.js';
import { activeTitle, type History, sharedWords } from './history.js';
import { type Content, type Html, html } from './html.js';
import { validationDifference, validationError } from './noise.js';
import { progressText } from './summary.js';
import { goalText, targetText } from './target-text.js';

const NONE = '–';

interface Row {
  readonly name: string | ((histories: readonly History[]) => string);
  readonly note?: string | ((histories: readonly History[]) => string);
  readonly cell: (history: History) => Content;
  /** Left out where no run has anything to say, or none has blocks that could be dropped. */
  readonly optional?: boolean;
  readonly ofDepth?: boolean;
  /** The number that the difference of two runs is taken of, and how it is written. */
  readonly delta?: {
    readonly of: (history: History) => number | null | undefined;
    readonly as: (difference: number, a: number, b: number, two: Contrast) => string;
    /** It is of the primary metric: runs that are judged by different ones have no difference. */
    readonly ofMetric?: boolean;
  };
}

const points = (difference: number): string => signed(difference, (size) => `${(100 * size).toFixed(1)} pts`);
const plain = (difference: number): string => signed(difference, (size) => steady(size));
const times = (_: number, a: number, b: number): string => (b > 0 ? `× ${(a / b).toFixed(2)}` : NONE);
const inWords = (difference: number, _: number, __: number, { subject }: Contrast): string =>
  signed(difference, subject.words.size);

/** `Validation accuracy`, or `Validation metric` where runs are judged by different ones. */
function metricTitle(side: string): (histories: readonly History[]) => string {
  return (histories) => `${side} ${sharedWords(histories)?.noun ?? 'metric'}`;
}

const rows: readonly Row[] = [
  { name: 'Status', cell: ({ run }) => html`<span class="pill ${run.record.status}">${run.record.status}</span>` },
  {
    name: metricTitle('Validation'),
    note: (histories) => (histories.some(({ rows: share }) => share !== null) ? '± 95 %' : ''),
    cell: (history) =>
      history.last && [html`<b>${history.words.shown(history.last.primary.validation)}</b>`, plusMinus(history)],
    delta: {
      of: ({ last }) => last?.primary.validation,
      ofMetric: true,
      as: (difference, a, b, two) => {
        const noise = validationDifference(two.subject, two.baseline);
        return `${inWords(difference, a, b, two)}${noise !== null && !noise.beyondNoise ? ', chance' : ''}`;
      },
    },
  },
  {
    name: 'Validation loss',
    cell: ({ last }) => last && steady(last.validation.loss, 4),
    delta: { of: ({ last }) => last?.validation.loss, as: plain },
  },
  {
    name: metricTitle('Training'),
    note: 'in evaluation mode',
    cell: ({ last, words }) => last && words.shown(last.primary.train),
    delta: { of: ({ last }) => last?.primary.train, as: inWords, ofMetric: true },
  },
  {
    name: 'Gap',
    note: 'above 0: overfits',
    cell: ({ last, words }) => last && [signed(last.reading.gap, words.size), verdict(last.reading.verdict)],
    delta: { of: ({ last }) => last?.reading.gap, as: inWords, ofMetric: true },
  },
  {
    name: (histories) => `Best validation ${sharedWords(histories)?.noun ?? 'metric'}`,
    cell: ({ best, words }) =>
      best && html`${words.shown(best.primary.validation)} <small>epoch ${tenths(best.x)}</small>`,
    delta: { of: ({ best }) => best?.primary.validation, as: inWords, ofMetric: true },
  },
  {
    name: (histories) => {
      const goals = new Set(
        histories.flatMap(({ summary: { target } }) => (target === null ? [] : [goalText(target)])),
      );
      return goals.size === 1 ? `Time to ${[...goals][0] ?? ''}` : 'Time to target';
    },
    optional: true,
    cell: ({ summary: { target }, batchesPerEpoch }) => target && targetText(target, batchesPerEpoch),
    delta: { of: ({ summary }) => summary.target?.reached?.elapsedMs, as: times },
  },
  {
    name: 'Spread of the training loss',
    note: 'at the end, without trend',
    cell: ({ summary: { stability } }) => stability.std !== null && significant(stability.std),
    delta: { of: ({ summary }) => summary.stability.std, as: times },
  },
  {
    name: 'Loss spikes',
    note: 'above median + 6 σ',
    cell: ({ summary: { stability } }) =>
      stability.readings > 0 &&
      html`${grouped(stability.spikes)} <small>of ${grouped(stability.readings)} readings</small>`,
  },
  {
    name: 'Diverged',
    optional: true,
    cell: ({ summary, batchesPerEpoch }) => {
      const { divergence } = summary.stability;
      return divergence && `epoch ${tenths(divergence.batch / batchesPerEpoch)}`;
    },
  },
  {
    name: activeTitle,
    ofDepth: true,
    note: 'in the mean step',
    cell: ({ realisedActive, expectedActive, sites, drops }) =>
      realisedActive !== null &&
      sites > 0 &&
      html`${realisedActive.toFixed(2)} of ${sites}${drops && html` <small>${expectedActive.toFixed(2)} expected</small>`}`,
    delta: {
      of: ({ realisedActive }) => realisedActive,
      as: (difference) => signed(difference, (size) => size.toFixed(2)),
    },
  },
  {
    name: 'Forward work skipped',
    ofDepth: true,
    cell: ({ drops, depth }) =>
      drops
        ? depth?.workSaved != null && [
            percent(depth.workSaved),
            depth.workSavedIdeal !== null && html` <small>${percent(depth.workSavedIdeal)} expected</small>`,
          ]
        : '0 %',
    delta: { of: ({ drops, depth }) => (drops ? depth?.workSaved : 0), as: points },
  },
  {
    name: 'Time of a step',
    note: 'median',
    cell: ({ timing }) => timing && html`<b>${span(timing.medianStepMs)}</b>`,
    delta: { of: ({ timing }) => timing?.medianStepMs, as: times },
  },
  {
    name: '… with all blocks',
    ofDepth: true,
    note: 'median',
    cell: ({ timing }) => timing?.medianFullStepMs != null && span(timing.medianFullStepMs),
  },
  {
    name: '… with dropped blocks',
    ofDepth: true,
    note: 'median',
    cell: ({ timing }) => timing?.medianDroppedStepMs != null && span(timing.medianDroppedStepMs),
  },
  {
    name: 'Samples a second',
    cell: ({ summary: { efficiency } }) => efficiency.samplesPerSecond !== null && rate(efficiency.samplesPerSecond),
    delta: { of: ({ summary }) => summary.efficiency.samplesPerSecond, as: times },
  },
  {
    name: 'Waiting for data',
    note: 'share of training time',
    cell: ({ summary: { efficiency } }) => efficiency.dataWaitShare !== null && percent(efficiency.dataWaitShare),
    delta: { of: ({ summary }) => summary.efficiency.dataWaitShare, as: points },
  },
  {
    name: 'Device-hours',
    cell: ({ summary: { efficiency } }) => efficiency.elapsedMs > 0 && significant(efficiency.deviceHours),
    delta: { of: ({ summary }) => summary.efficiency.deviceHours, as: times },
  },
  {
    name: 'Peak memory',
    cell: ({ peakMemoryBytes }) => peakMemoryBytes !== null && bytes(peakMemoryBytes),
    delta: { of: ({ peakMemoryBytes }) => peakMemoryBytes, as: times },
  },
  {
    name: 'Time in all',
    cell: ({ timing }) => timing && span(timing.totalMs),
    delta: { of: ({ timing }) => timing?.totalMs, as: times },
  },
  { name: 'Trained', cell: ({ epochs, totalEpochs }) => progressText(epochs, totalEpochs) },
  { name: 'Steps', cell: ({ steps }) => grouped(steps.length) },
  { name: 'Parameters', cell: ({ run }) => grouped(run.record.model.parameters) },
  { name: 'Seed', cell: ({ run }) => String(run.record.seed) },
];

/** The figures that one asks for first, a column for each run; for two runs, their difference. */
export function headlineTable(histories: readonly History[]): Html {
  const blocks = histories.some(({ sites }) => sites > 0);
  const shown = rows.filter(
    ({ optional, ofDepth, cell }) =>
      (optional !== true || histories.some((history) => cell(history))) && (ofDepth !== true || blocks),
  );
  if (histories.length === 1) {
    // One column of values would leave most of a wide page empty.
    const half = Math.ceil(shown.length / 2);
    return html`<div class="grid halves">${[shown.slice(0, half), shown.slice(half)].map(
      (part) => html`<table class="headline"><tbody>
${part.map((row) => line(row, histories, null))}</tbody></table>
`,
    )}</div>
`;
  }
  const two = contrastOf(histories);
  return html`<div class="scroll"><table class="headline">
<thead><tr><th></th>${histories.map(({ label, colour }) => html`<th scope="col"><i class="key dot" style="color:${colour}"></i>${label}</th>`)}${two && html`<th scope="col" class="delta">against ${two.baseline.label}</th>`}</tr></thead>
<tbody>
${shown.map((row) => line(row, histories, two))}</tbody>
</table></div>
`;
}

function line(row: Row, histories: readonly History[], two: Contrast | null): Html {
  const name = typeof row.name === 'string' ? row.name : row.name(histories);
  const note = typeof row.note === 'function' ? row.note(histories) : row.note;
  return html`<tr><th scope="row">${name}${note && html` <small>${note}</small>`}</th>${histories.map(
    (history) => html`<td>${row.cell(history) || NONE}</td>`,
  )}${two && html`<td class="delta">${difference(row, two)}</td>`}</tr>
`;
}

function difference({ delta }: Row, two: Contrast): string {
  const [a, b] = [delta?.of(two.subject), delta?.of(two.baseline)];
  if (delta === undefined || a == null || b == null || !Number.isFinite(a) || !Number.isFinite(b)) return '';
  if (delta.ofMetric === true && two.subject.primary.name !== two.baseline.primary.name) return '';
  return delta.as(a - b, a, b, two);
}

function plusMinus(history: History): Content {
  const half = validationError(history);
  return half !== null && html` <small>± ${(100 * half).toFixed(1)}</small>`;
}

function verdict(word: string): Content {
  return (word === 'warn' || word === 'alert') && html` <span class="pill ${word}">${word}</span>`;
}

function rate(value: number): string {
  return value >= 100 ? grouped(value) : steady(value);
}
