import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ShallowsError } from '../../errors.js';
import { writeAtomically } from '../../files/atomic-file.js';
import { codeOf } from '../../files/index.js';
import { losslessJson } from '../lossless-json.js';
import { runFiles } from '../run-files.js';
import { describeIssues } from '../zod-issues.js';
import type { StoredEvaluation } from './measured.js';
import { storedEvaluation } from './schema.js';

/** SHA-256 of the weights that a run has saved, as hexadecimal digits. @throws ShallowsError where there are none */
export async function modelDigest(folder: string): Promise<string> {
  const path = join(folder, runFiles.model);
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (cause) {
    throw new ShallowsError(`modelDigest: expected the weights of a run, got none to read (${path}) - train it first`, {
      cause,
    });
  }
  return hash.digest('hex');
}

/** Writes `evaluation.json` of a run, whole or not at all. @throws ShallowsError where it cannot be written */
export async function writeEvaluation(folder: string, evaluation: StoredEvaluation): Promise<void> {
  await writeAtomically(join(folder, runFiles.evaluation), `${losslessJson(evaluation, 2)}\n`);
}

/**
 * Reads what `shallows evaluate` stored of a run; null where nothing was, and where the weights are others by now.
 *
 * @throws ShallowsError for a file that is broken, with every field that is wrong
 */
export async function readEvaluation(folder: string): Promise<StoredEvaluation | null> {
  const path = join(folder, runFiles.evaluation);
  const advice = 'run shallows evaluate again, or remove it';
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw new ShallowsError(`readEvaluation: expected JSON, got a broken file (${path}) - ${advice}`, { cause });
  }
  const result = storedEvaluation.safeParse(value);
  if (!result.success) {
    throw new ShallowsError(
      `readEvaluation: expected an evaluation, got a wrong one (${path}): ${describeIssues(result.error)} - ${advice}`,
    );
  }
  const now = await modelDigest(folder).catch(() => null);
  return result.data.modelDigest === now ? result.data : null;
}
