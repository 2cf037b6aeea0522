import { pathToFileURL } from 'node:url';
import { type ComparedRun, compareRuns, type RunComparison, type RunContrast } from '../track/compare-runs.js';
import { bytes, grouped, percent, significant, span, tenths } from '../track/format.js';
import { metricWords, signed } from '../track/metric-words.js';
import { goalText, targetText } from '../track/report/target-text.js';
import { loadRun } from '../track/run-data.js';
import type { Context } from './context.js';
import { UsageError } from './failure.js';
import { labelsOf, runFolder } from './runs-folder.js';
import { alignedTable } from './table.js';

/** What `shallows runs compare` is told besides the runs. */
export interface CompareFlags {
  readonly report?: string;
  readonly target?: number;
  readonly json: boolean;
}

/** `shallows runs compare RUN RUN … [--report FILE] [--target VALUE] [--json]` */
export default async function compare(
  this: Context,
  { report, target, json }: CompareFlags,
  ...named: string[]
): Promise<void> {
  if (report !== undefined && !report.endsWith('.html'))
    throw new UsageError(`runs compare: expected a file that ends with .html after --report, got ${report} - name one`);
  const folders: string[] = [];
  for (const each of named) folders.push(await runFolder(each, 'runs compare'));
  if (new Set(folders).size < folders.length)
    throw new UsageError('runs compare: expected different runs, got one of them twice - name it once');
  const labels = labelsOf(folders);
  const runs = await Promise.all(folders.map((folder, i) => loadRun(folder, { label: labels[i] ?? folder })));
  const comparison = compareRuns(runs, { target });
  if (report !== undefined) {
    const { writeReport } = await import('../track/write-report.js');
    await writeReport(report, runs, target === undefined ? {} : { target });
  }
  const { stdout } = this.terminal;
  if (json) {
    stdout.write(`${JSON.stringify({ folders, ...comparison, ...(report === undefined ? {} : { report }) })}\n`);
    return;
  }
  stdout.write(`${resultsTable(comparison)}\n${contrastLines(comparison)}\n${recipeTable(comparison)}`);
  if (report !== undefined) stdout.write(`\n${pathToFileURL(report).href}\n`);
}

function resultsTable({ runs }: RunComparison): string {
  const row = (name: string, cell: (run: ComparedRun) => string | null): string[] => [
    name,
    ...runs.map((run) => cell(run) ?? '-'),
  ];
  const names = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics?.validation ?? {})))];
  const side = (of: 'validation' | 'train' | 'gap', name: string) => (run: ComparedRun) => {
    const value = run.metrics?.[of][name];
    if (value === undefined) return null;
    const words = metricWords(name);
    if (of === 'gap') return signed(value, words.size);
    const noisy = of === 'validation' && name === run.primary.name && run.noise !== null;
    return `${words.shown(value)}${noisy ? ` ± ${words.size(run.noise)}` : ''}`;
  };
  const goals = new Set(runs.flatMap(({ target }) => (target === null ? [] : [goalText(target)])));
  const rows = [
    ['', ...runs.map(({ label }) => label)],
    row('status', ({ status }) => status),
    ...names.flatMap((name) => {
      const { noun } = metricWords(name);
      return [
        row(`validation ${noun}`, side('validation', name)),
        row(`training ${noun}`, side('train', name)),
        row(`gap of ${noun}`, side('gap', name)),
      ];
    }),
    ...[...goals].map((goal) =>
      row(`time to ${goal}`, ({ target, steps, epochs }) =>
        target === null || goalText(target) !== goal ? null : targetText(target, epochs > 0 ? steps / epochs : 1),
      ),
    ),
    row('epochs', ({ epochs }) => tenths(epochs)),
    row('time of a step', ({ medianStepMs }) => written(medianStepMs, span)),
    row('time in all', ({ totalMs }) => written(totalMs, span)),
    row('work skipped', ({ workSaved }) => written(workSaved, percent)),
    row('samples a second', ({ samplesPerSecond }) => written(samplesPerSecond, significant)),
    row('waiting for data', ({ dataWaitShare }) => written(dataWaitShare, percent)),
    row('device-hours', ({ deviceHours }) => significant(deviceHours)),
    row('peak memory', ({ peakMemoryBytes }) => written(peakMemoryBytes, bytes)),
    row('loss spikes', ({ lossSpikes }) => grouped(lossSpikes)),
    row('spread of the loss', ({ lossStd }) => written(lossStd, significant)),
  ];
  return alignedTable(rows);
}

function written(value: number | null, write: (value: number) => string): string | null {
  return value === null ? null : write(value);
}

function contrastLines({ runs, contrasts, sameData }: RunComparison): string {
  const lines = contrasts.map((contrast, i) => {
    const run = runs[i + 1];
    return run === undefined ? '' : `${contrast.label} against ${contrast.against}: ${contrastText(contrast, run)}\n`;
  });
  const beaten = runs.flatMap(({ label, dominatedBy: by }) =>
    by === null ? [] : [`${label} is no better than ${by}, which took no more device-hours\n`],
  );
  const data = sameData ? '' : 'these runs learnt from different data: their metrics do not compare\n';
  return [...lines, ...beaten, data].join('');
}

function contrastText(
  { difference, interval, beyondNoise, stepRatio, timeRatio }: RunContrast,
  run: ComparedRun,
): string {
  const words = metricWords(run.primary.name);
  const verdict =
    interval === null || beyondNoise === null
      ? ', of unknown noise'
      : ` (${signed(interval[0], words.size)} to ${signed(interval[1], words.size)} at 95 %): ${beyondNoise ? 'more than chance explains' : 'chance alone explains it'}`;
  return [
    difference === null
      ? 'validation metrics do not compare'
      : `${words.noun} ${signed(difference, words.size)}${verdict}`,
    ...(stepRatio === null ? [] : [`a step took ${stepRatio.toFixed(2)} × the time`]),
    ...(timeRatio === null ? [] : [`${timeRatio.toFixed(2)} × in all`]),
  ].join('; ');
}

function recipeTable({ recipe, runs }: RunComparison): string {
  if (recipe.length === 0) return 'the recipes are equal\n';
  const shown = (value: unknown): string =>
    value === undefined ? '-' : typeof value === 'string' ? value : (JSON.stringify(value) ?? '-');
  return alignedTable([
    ['recipe', ...runs.map(({ label }) => label)],
    ...recipe.map(({ path, values }) => [path, ...values.map(shown)]),
  ]);
}
