import { join } from 'node:path';
import {
  loadRun,
  modelDigest,
  runFiles,
  type StoredEvaluation,
  writeEvaluation,
  writeReport,
} from '../../track/index.js';
import type { RunEvaluation } from '../evaluate-run.js';
import type { EvaluationRequest } from './request.js';

/**
 * Stores an evaluation in the folder of its run as `evaluation.json`, with what was asked for, the time and the digest of
 * the weights, and writes the report of the run anew.
 *
 * @throws ShallowsError where a file cannot be written
 */
export async function storeEvaluation(
  folder: string,
  { monteCarlo, calibrate = false, skip = [], exitAfter, pruneTo }: EvaluationRequest,
  { depth, passes, calibration, ...metrics }: RunEvaluation,
): Promise<StoredEvaluation> {
  const stored: StoredEvaluation = {
    schema: 1,
    time: new Date().toISOString(),
    options: {
      passes: monteCarlo?.passes ?? null,
      seed: monteCarlo === undefined ? null : (monteCarlo.seed ?? 0),
      ...{ calibrate, skip, exitAfter: exitAfter ?? null, pruneTo: pruneTo ?? null },
    },
    modelDigest: await modelDigest(folder),
    ...{ metrics, depth: depth ?? null, passes: passes ?? null, calibration: calibration ?? null },
  };
  await writeEvaluation(folder, stored);
  await writeReport(join(folder, runFiles.report), [await loadRun(folder)]);
  return stored;
}
