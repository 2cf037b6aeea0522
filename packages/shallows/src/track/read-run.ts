import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ShallowsError } from '../errors.js';
import { runFiles } from './run-files.js';
import { type RunRecord, runRecord } from './run-record.js';
import { describeIssues } from './zod-issues.js';

/**
 * Reads the record of a run.
 *
 * @throws ShallowsError for a folder without a run, and for a record that is broken, with every field that is wrong
 */
export async function readRun(folder: string): Promise<RunRecord> {
  const path = join(folder, runFiles.record);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ShallowsError(
      `readRun: expected the folder of a run, got one without ${runFiles.record} (${folder}) - give the folder that a run was written to`,
      { cause },
    );
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ShallowsError(`readRun: expected JSON, got a broken file (${path}) - restore it from a copy`, { cause });
  }
  const result = runRecord.safeParse(value);
  if (result.success) return result.data;
  throw new ShallowsError(
    `readRun: expected the record of a run, got a wrong one (${path}): ${describeIssues(result.error)} - restore it from a copy`,
  );
}
