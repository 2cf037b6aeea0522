import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ShallowsError } from '../../errors.js';
import { codeOf } from '../../files/index.js';
import { type Inspection, inspectCheckpoint, reasonOf, verifyCheckpoint } from './inspect.js';
import type { Manifest } from './manifest.js';

/** One folder among checkpoints. Its manifest is as it was written; whether its contents are, only reading them tells. */
export type CheckpointEntry = { readonly name: string; readonly path: string } & Inspection;

/** A checkpoint that was passed over. */
export interface Skipped {
  readonly path: string;
  readonly why: string;
}

/** The newest checkpoint of a folder whose every byte is as it was written. */
export interface Newest {
  /** Null where there is none. */
  readonly checkpoint: { readonly name: string; readonly path: string; readonly manifest: Manifest } | null;
  /** Those that are newer, or cannot be placed in time, and why they do not count; the newest first. */
  readonly skipped: readonly Skipped[];
}

/**
 * The checkpoints of a folder from the oldest to the newest, after those that cannot be read. Folders that begin with a
 * dot are a writer's own.
 *
 * @throws ShallowsError where the folder cannot be listed; one that is not there holds none
 */
export function listCheckpoints(folder: string): CheckpointEntry[] {
  try {
    return readEntries(folder);
  } catch (cause) {
    throw new ShallowsError(
      `listCheckpoints: expected a folder of checkpoints at ${folder}, got ${reasonOf(cause)} - check its path and rights`,
      { cause },
    );
  }
}

/** @throws Error of the system */
function readEntries(folder: string): CheckpointEntry[] {
  let names: string[];
  try {
    const found = readdirSync(folder, { withFileTypes: true });
    names = found.filter((each) => !each.isFile() && !each.name.startsWith('.')).map(({ name }) => name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const entries = names.map((name): CheckpointEntry => {
    const path = join(folder, name);
    return { name, path, ...inspectCheckpoint(path) };
  });
  return entries.sort((a, b) => sequenceOf(a) - sequenceOf(b) || (a.name < b.name ? -1 : 1));
}

/** The sequence number of the checkpoint to come. @throws Error of the system */
export function nextSequence(folder: string): number {
  return Math.max(0, ...readEntries(folder).map(sequenceOf)) + 1;
}

function sequenceOf({ manifest }: CheckpointEntry): number {
  return manifest?.sequence ?? 0;
}

/** Looks from the newest checkpoint to the oldest for one that verifies; reads each byte of those it tries. */
export function newestCheckpoint(folder: string): Newest {
  return newestThat(folder, verifyCheckpoint);
}

/** The newest checkpoint against which `problemOf` has nothing to say; those that are older are not asked about. */
export function newestThat(folder: string, problemOf: (path: string) => string | null): Newest {
  const skipped: Skipped[] = [];
  let checkpoint: Newest['checkpoint'] = null;
  for (const { name, path, manifest, problem } of listCheckpoints(folder).reverse()) {
    if (manifest === null) {
      skipped.push({ path, why: problem });
    } else if (checkpoint === null) {
      const why = problemOf(path);
      if (why === null) checkpoint = { name, path, manifest };
      else skipped.push({ path, why });
    }
  }
  return { checkpoint, skipped };
}
