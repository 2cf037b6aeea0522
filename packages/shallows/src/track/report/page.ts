import { JSDOM } from 'jsdom';
import { ShallowsError } from '../../errors.js';
import { grouped, span } from '../format.js';
import type { RunData } from '../run-data.js';
import { budgetTables } from './budget-table.js';
import { calibrationFigures } from './calibration-figures.js';
import { depthFigures } from './depth-figures.js';
import { configurationTable, environmentTable } from './facts-table.js';
import { type Figure, figure } from './figure.js';
import { headlineTable } from './headline.js';
import { type History, historyOf } from './history.js';
import { type Content, type Html, html, trusted } from './html.js';
import { learningFigures } from './learning-figures.js';
import { notices } from './notices.js';
import { siteTables } from './site-table.js';
import { spendingFigure } from './spending-figure.js';
import { stabilityFigures } from './stability-figures.js';
import { styleSheet } from './style-sheet.js';
import { summarySentence } from './summary.js';
import { tileRow } from './tiles.js';
import { timeFigures } from './time-figures.js';
import { uncertainRows } from './uncertain-rows.js';
import { uncertaintyFigures } from './uncertainty-figures.js';

/** Options of `writeReport`. */
export interface ReportOptions {
  /** What the report is called; the names of the runs unless given. */
  readonly title?: string;
  /** A value of the primary metric: the report says when each run reached it. Each run's own goal unless given. */
  readonly target?: number;
}

/** The whole report as one HTML document. */
export function renderReport(runs: readonly RunData[], { title = namesOf(runs), target }: ReportOptions = {}): string {
  if (runs.length === 0)
    throw new ShallowsError('writeReport: expected one run or more, got none - load a run with loadRun');
  const histories = runs.map((run, i) => historyOf(run, i, { target }));
  const { document } = new JSDOM('').window;
  const drawn = (figures: Figure[]): Html[] => figures.map((each) => figure(each, document));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title} · Shallows</title>
<style>${trusted(styleSheet)}</style>
</head>
<body>
<main>
<header>
<h1>${title}</h1>
<p class="meta">${metaLine(histories)}</p>
<p class="summary">${glued(summarySentence(histories))}</p>
${notices(histories)}</header>
${tileRow(histories)}
${section('Headline figures', html`<div class="card">${headlineTable(histories)}</div>`)}
${section('Learning', html`<div class="grid">${drawn([...learningFigures(histories), ...stabilityFigures(histories)])}</div>`)}
${
  histories.some(({ sites }) => sites > 0) &&
  section(
    'Depth',
    html`<div class="grid">${drawn(depthFigures(histories))}</div>
${siteTables(histories)}`,
  )
}
${uncertaintySection(histories, drawn)}
${section('Time', html`<div class="grid">${drawn([...timeFigures(histories), spendingFigure(histories)])}</div>`)}
${histories.some(({ run }) => run.record.regularization !== null) && section('Regularization', budgetTables(histories))}
${section('Configuration', configurationTable(histories))}
${section('Environment', html`<div class="card">${environmentTable(histories)}</div>`)}
<footer>Made by Shallows ${runs[0]?.record.versions.shallows} from run.json and journal.jsonl. Nothing on this page is loaded from elsewhere.</footer>
</main>
</body>
</html>
`.text;
}

/** What an evaluation after training found; nothing where none was stored. */
function uncertaintySection(histories: readonly History[], drawn: (figures: Figure[]) => Html[]): Html | null {
  const figures = [...calibrationFigures(histories), ...uncertaintyFigures(histories)];
  const rows = uncertainRows(histories);
  if (figures.length === 0 && rows.length === 0) return null;
  return section('Uncertainty and calibration', html`<div class="grid">${drawn(figures)}${rows}</div>`);
}

function namesOf(runs: readonly RunData[]): string {
  return [...new Set(runs.map(({ record }) => record.name))].join(', ');
}

function section(title: string, content: Content): Html {
  return html`<section>
<h2>${title}</h2>
${content}
</section>
`;
}

/** Keeps a number and its unit on one line. */
function glued(sentence: string): string {
  return sentence.replace(/(\d) (?=%|×|ms\b|s\b)/g, '$1\u00a0');
}

function metaLine(histories: readonly History[]): string {
  const records = histories.map(({ run }) => run.record);
  const models = [...new Set(records.map(({ model, data }) => `${model.name} on ${data.name}`))];
  const started = records.map(({ startedAt }) => startedAt).sort()[0] ?? '';
  const total = histories.reduce((sum, { timing }) => sum + (timing?.totalMs ?? 0), 0);
  const size = [...new Set(records.map(({ data }) => `${grouped(data.sizes.train)} training rows`))];
  return [
    ...models,
    ...(size.length === 1 ? size : []),
    ...(histories.length > 1 ? [`${String(histories.length)} runs`] : []),
    `${started.slice(0, 16).replace('T', ' ')} UTC`,
    ...(total > 0 ? [span(total)] : []),
  ].join(' · ');
}
