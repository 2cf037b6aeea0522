import { join } from 'node:path';
import { didYouMean, ShallowsError } from '../errors.js';
import type { EvaluationRequest } from '../recipe/evaluate/request.js';
import type { EvaluationSkips } from '../recipe/evaluate/skips.js';
import type { RunEvaluation } from '../recipe/evaluate-run.js';
import { percent } from '../track/format.js';
import { readRun } from '../track/read-run.js';
import { runFiles } from '../track/run-files.js';
import type { RunRecord } from '../track/run-record.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';
import { evaluationText } from './evaluate-text.js';
import { UsageError } from './failure.js';
import { alignedTable } from './table.js';
import { metricsRows } from './train.js';

/** What `shallows evaluate` is told besides the run. */
export interface EvaluateFlags {
  readonly skip?: readonly string[];
  readonly 'exit-after'?: number;
  readonly 'prune-to'?: number;
  readonly mc?: number;
  readonly 'mc-seed'?: number;
  readonly calibrate: boolean;
  readonly json: boolean;
}

/** `shallows evaluate RUN [--skip NAMES] [--exit-after N] [--prune-to SHARE] [--mc N [--mc-seed N]] [--calibrate] [--json]` */
export default async function evaluate(this: Context, flags: EvaluateFlags, folder: string): Promise<void> {
  const record = await readRun(folder).catch((error: unknown) => {
    throw error instanceof ShallowsError ? new UsageError(error.message, { cause: error }) : error;
  });
  if (record.status === 'running' || record.status === 'failed') {
    throw new UsageError(
      `evaluate: expected a run that has ended with its weights saved, got one that is ${record.status} (${folder}) - give another`,
    );
  }
  const { mc, 'mc-seed': seed = 0, calibrate } = flags;
  if (flags['mc-seed'] !== undefined && mc === undefined) {
    throw new UsageError('evaluate: expected --mc-seed with --mc, got it alone - add --mc 30');
  }
  const request: EvaluationRequest = {
    ...skipsOf(flags, record.model.sites),
    ...(mc === undefined ? {} : { monteCarlo: { passes: mc, seed } }),
    ...(calibrate ? { calibrate } : {}),
  };
  await needAddon(this);
  const found = await evaluated(folder, record, request);
  const { depth, passes, calibration, ...metrics } = found;
  const { stdout } = this.terminal;
  if (flags.json) {
    const more = { ...(depth && { depth }), ...(passes && { passes }), ...(calibration && { calibration }) };
    stdout.write(`${JSON.stringify({ run: folder, metrics, ...more })}\n`);
    return;
  }
  stdout.write(alignedTable(metricsRows(metrics)));
  stdout.write(evaluationText(found, mc === undefined ? null : { passes: mc, seed }));
  if (passes !== undefined || calibration !== undefined) {
    stdout.write(`\nstored in ${join(folder, runFiles.evaluation)} and shown in ${join(folder, runFiles.report)}\n`);
  }
  if (depth === undefined) return;
  const { skipped, active, workSaved } = depth;
  stdout.write(
    `\n${String(active)} of ${String(active + skipped.length)} blocks run, ${percent(workSaved)} of the forward work saved\n`,
  );
  if (skipped.length > 0) stdout.write(`left out: ${skipped.join(', ')}\n`);
}

/** Evaluates, and stores what goes beyond the metrics. What the run cannot give is a mistake of the command line. */
async function evaluated(folder: string, record: RunRecord, request: EvaluationRequest): Promise<RunEvaluation> {
  const { EvaluationRequestError, evaluateRun, storeEvaluation } = await import('../recipe/index.js');
  try {
    const found = await evaluateRun(folder, record, request);
    if (request.monteCarlo !== undefined || request.calibrate === true) await storeEvaluation(folder, request, found);
    return found;
  } catch (error) {
    throw error instanceof EvaluationRequestError ? new UsageError(error.message, { cause: error }) : error;
  }
}

/** Checks the flags against the sites of the run, before anything is loaded. */
function skipsOf(
  { skip = [], 'exit-after': exitAfter, 'prune-to': pruneTo }: EvaluateFlags,
  sites: RunRecord['model']['sites'],
): EvaluationSkips {
  const names = sites.map(({ name }) => name);
  const skipped = skip.flatMap((wanted) => {
    const found = names.filter((name) => name === wanted || name.startsWith(`${wanted}.`));
    if (found.length > 0) return found;
    throw new UsageError(
      `evaluate: expected blocks of the run after --skip, got '${wanted}'${didYouMean(wanted, names)} - take names from shallows plan, such as ${names.slice(0, 2).join(',')}`,
    );
  });
  if (exitAfter !== undefined && exitAfter > names.length) {
    throw new UsageError(
      `evaluate: expected --exit-after of at most the ${String(names.length)} blocks of the run, got ${String(exitAfter)} - give fewer`,
    );
  }
  if (pruneTo !== undefined && sites.every(({ requested }) => requested === 0)) {
    throw new UsageError(
      'evaluate: expected a run with drop rates for --prune-to, got one that dropped nothing - name blocks with --skip',
    );
  }
  return {
    ...(skipped.length === 0 ? {} : { skip: skipped }),
    ...(exitAfter === undefined ? {} : { exitAfter }),
    ...(pruneTo === undefined ? {} : { pruneTo }),
  };
}
