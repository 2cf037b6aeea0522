import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ShallowsError } from '../errors.js';
import { bytes, counted, grouped, percent, significant, span } from '../track/format.js';
import { metricWords, signed } from '../track/metric-words.js';
import { readRun } from '../track/read-run.js';
import { type History, historyOf } from '../track/report/history.js';
import { summarySentence } from '../track/report/summary.js';
import { goalText, targetText } from '../track/report/target-text.js';
import { loadRun } from '../track/run-data.js';
import { runFiles } from '../track/run-files.js';
import type { RunRecord } from '../track/run-record.js';
import { type RunCheck, verifyRun } from '../track/verify-run.js';
import { isLocked } from '../track/writer-lock.js';
import type { Evaluation } from '../train/events.js';
import type { Context } from './context.js';
import { exitCodes } from './failure.js';
import { runFolder } from './runs-folder.js';
import { alignedTable } from './table.js';

/** What `shallows runs show` is told besides the run. */
export interface ShowFlags {
  readonly target?: number;
  readonly json: boolean;
}

/** `shallows runs show RUN [--target VALUE] [--json]` */
export default async function show(this: Context, { json, target }: ShowFlags, named: string): Promise<void> {
  const { stdout } = this.terminal;
  const folder = await runFolder(named, 'runs show');
  const record = await readRun(folder);
  const live = isLocked(join(folder, runFiles.lock));
  const check = await checked(folder);
  const history = await loadRun(folder).then(
    (data) => historyOf(data, 0, { target }),
    () => null,
  );
  const checkpoints = (await readdir(join(folder, runFiles.checkpoints)).catch(() => [])).filter(
    (name) => !name.startsWith('.'),
  );
  if (check.problems.length > 0) this.exitWith(exitCodes.failed);
  if (json) {
    const { summary = null } = history ?? {};
    stdout.write(`${JSON.stringify({ run: folder, live, record, ...summary, checkpoints, check })}\n`);
    return;
  }
  stdout.write(`${headOf(folder, record, live)}\n`);
  if (history !== null) stdout.write(`${summarySentence([history])}\n`);
  const metrics = history?.last ?? record.metrics;
  if (metrics) stdout.write(`\n${alignedTable(metricsTable(metrics))}`);
  const facts = [...factsOf(record), ...(history === null ? [] : courseOf(history)), ...checkpointFact(checkpoints)];
  stdout.write(`\n${facts.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join('')}`);
  stdout.write(`\n${verdictOf(check)}`);
}

function metricsTable({ train, validation, gap }: Evaluation): string[][] {
  const names = Object.keys(validation);
  const row = (title: string, cell: (name: string) => string): string[] => [title, ...names.map(cell)];
  const shown =
    (metrics: Evaluation['train']) =>
    (name: string): string =>
      metricWords(name).shown(metrics[name] ?? Number.NaN);
  return [
    row('', (name) => metricWords(name).noun),
    row('train', shown(train)),
    row('validation', shown(validation)),
    row('gap', (name) => signed(gap[name] ?? Number.NaN, metricWords(name).size)),
  ];
}

type Fact = readonly [name: string, value: string];

/** Checks a run; what cannot even be read is a problem like others. */
async function checked(folder: string): Promise<RunCheck> {
  try {
    return await verifyRun(folder);
  } catch (error) {
    if (!(error instanceof ShallowsError)) throw error;
    const journal = { head: { lines: 0, digest: '' }, broken: null, torn: null };
    return { journal, sealed: false, problems: [error.message] };
  }
}

function headOf(folder: string, { name, status }: RunRecord, live: boolean): string {
  const stands = status === 'running' && !live ? 'killed: it says it is running, and nobody writes to it' : status;
  return `${name} (${folder}), ${stands}`;
}

function factsOf(record: RunRecord): Fact[] {
  const { model, data, policy, optimizer, schedule, algorithms, git, versions, host, resumptions } = record;
  const rows = record.batchSize === null ? '' : `, batches of ${grouped(record.batchSize)}`;
  return [
    ['id', record.id],
    ['started', `${record.startedAt}${record.user === null ? '' : ` by ${record.user}`}`],
    ['command', record.command.join(' ')],
    ['model', `${model.name}, ${grouped(model.parameters)} parameters`],
    [
      'data',
      `${data.name}, ${grouped(data.sizes.train)} + ${grouped(data.sizes.validation)} rows, ${data.digest.slice(0, 12)}${rows}`,
    ],
    [
      'depth',
      policy === null
        ? 'none'
        : `drop ${significant(policy.drop)} ${policy.schedule}, by ${policy.unit}, ${policy.scale}`,
    ],
    ['optimizer', [optimizer?.name ?? 'unknown', ...(schedule === null ? [] : [schedule.name])].join(', ')],
    ...(algorithms.length === 0 ? [] : [['algorithms', algorithms.map(({ name }) => name).join(', ')] as const]),
    ['seed', String(record.seed)],
    ['commit', git === null ? 'none' : `${git.commit.slice(0, 12)}${git.dirty === null ? '' : ', with changes'}`],
    [
      'versions',
      `shallows ${versions.shallows}, libtorch ${versions.libtorch}, Node ${versions.node.replace(/^v/, '')}`,
    ],
    [
      'machine',
      `${host.cpu}, ${counted(host.cores, 'core')}, ${record.gpus.map(({ name }) => name).join(', ') || 'no GPU'}`,
    ],
    ...(record.parent === null ? [] : [['parent', record.parent] as const]),
    ...resumptions.map(({ time, batch }): Fact => ['resumed', `${time}, at batch ${grouped(batch)}`]),
  ];
}

/** How the training went. */
function courseOf({ depth, noun, summary, timing, peakMemoryBytes, batchesPerEpoch }: History): Fact[] {
  const { stability, efficiency, target, gap } = summary;
  const alarms = depth?.sites.filter(({ alarm }) => alarm).map(({ name }) => name) ?? [];
  const active =
    depth === null
      ? []
      : [
          `${depth.realisedActive.toFixed(2)} of ${String(depth.sites.length)} ${noun.many} active (${depth.expectedActive.toFixed(2)} expected)`,
          ...(depth.workSaved === null ? [] : [`${percent(depth.workSaved)} of the forward work skipped`]),
          ...(alarms.length === 0 ? [] : [`outside of what chance explains: ${alarms.join(', ')}`]),
        ];
  const steady = [
    `${counted(stability.spikes, 'spike')} in ${counted(stability.readings, 'reading')}`,
    ...(stability.std === null ? [] : [`standard deviation ${significant(stability.std)}`]),
    ...(stability.divergence === null ? [] : [`diverged at batch ${grouped(stability.divergence.batch)}`]),
  ];
  const spent = [
    `${significant(efficiency.deviceHours)} device-hours`,
    ...(efficiency.samplesPerSecond === null ? [] : [`${significant(efficiency.samplesPerSecond)} samples a second`]),
    ...(efficiency.dataWaitShare === null ? [] : [`${percent(efficiency.dataWaitShare)} waiting for data`]),
    ...(efficiency.retriedMs > 0 ? [`${span(efficiency.retriedMs)} done again`] : []),
    ...(peakMemoryBytes === null ? [] : [`${bytes(peakMemoryBytes)} at most`]),
  ];
  return [
    ...(active.length === 0 ? [] : [['blocks', active.join(', ')] as const]),
    ...(gap === null || gap.verdict === 'unknown' ? [] : [['gap', gapText(gap.verdict)] as const]),
    ['loss', steady.join(', ')],
    ...(target === null ? [] : [['target', `${goalText(target)}: ${targetText(target, batchesPerEpoch)}`] as const]),
    [
      'time',
      `${timing === null ? 'no step yet' : `${span(timing.medianStepMs)} a step, ${span(timing.totalMs)} in all`}, ${spent.join(', ')}`,
    ],
  ];
}

function gapText(verdict: 'fine' | 'warn' | 'alert'): string {
  return {
    fine: 'fine: chance, or too small to matter',
    warn: 'a warning: it overfits',
    alert: 'an alert: it overfits',
  }[verdict];
}

function checkpointFact(names: readonly string[]): Fact[] {
  return names.length === 0 ? [] : [['checkpoints', [...names].sort().join(', ')]];
}

function verdictOf({ journal, sealed, problems }: RunCheck): string {
  if (problems.length > 0) return problems.map((problem) => `PROBLEM: ${problem}\n`).join('');
  const lines = counted(journal.head.lines, 'line');
  return `journal: ${lines}, the chain holds${sealed ? ' and ends where the record says' : ', not sealed yet'} (${journal.head.digest.slice(0, 12)})\n`;
}
