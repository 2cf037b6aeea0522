import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ShallowsError, shown } from '../../errors.js';
import { verifyCheckpoint } from './inspect.js';
import { checkpointFiles } from './layout.js';
import { newestThat, type Skipped } from './list.js';
import type { Manifest } from './manifest.js';
import { type LoadedSnapshot, readCheckpoint } from './read.js';

/** Where a run goes on. */
export interface Resumed {
  /** The checkpoint; null where the run starts from the beginning. */
  readonly from: { readonly path: string; readonly manifest: Manifest } | null;
  /** For `trainer.load`, then to be freed; null where the run starts from the beginning. */
  readonly snapshot: LoadedSnapshot | null;
  /** Newer checkpoints that were passed over, and why. */
  readonly skipped: readonly Skipped[];
  /** All of this in sentences. */
  readonly messages: readonly string[];
}

/**
 * Finds and reads the state that a run goes on from.
 *
 * @param from `auto`: the newest checkpoint in `folder` that verifies, or the beginning where there is no checkpoint at all.
 *   Else the path of a checkpoint, which must verify, or of a folder of checkpoints or a run, whose newest is taken
 * @param folder the checkpoints of this run
 * @throws ShallowsError where there are checkpoints and none verifies: a run never starts over without being told to
 */
export function resumeFrom(from: string, { folder }: { readonly folder: string }): Resumed {
  if (typeof from !== 'string' || from === '') {
    throw new ShallowsError(`resumeFrom: expected 'auto' or a path, got ${shown(from)} - write resume: auto`);
  }
  if (from === 'auto') return resumeNewest(folder, true);
  const path = resolve(from);
  if (isCheckpoint(path)) {
    const snapshot = readCheckpoint(path);
    return resumed(path, snapshot, []);
  }
  const inside = join(path, 'checkpoints');
  return resumeNewest(existsSync(inside) ? inside : path, false);
}

function isCheckpoint(path: string): boolean {
  return [checkpointFiles.marker, checkpointFiles.manifest, checkpointFiles.model].some((name) =>
    existsSync(join(path, name)),
  );
}

function resumeNewest(folder: string, mayStart: boolean): Resumed {
  let snapshot: LoadedSnapshot | null = null;
  // Reading verifies: what is whole, as most are, is read once.
  const { checkpoint, skipped } = newestThat(folder, (path) => {
    try {
      snapshot = readCheckpoint(path);
      return null;
    } catch (error) {
      const problem = verifyCheckpoint(path);
      if (problem === null) throw error;
      return problem;
    }
  });
  if (checkpoint !== null && snapshot !== null) return resumed(checkpoint.path, snapshot, skipped);
  if (skipped.length > 0) {
    throw new ShallowsError(
      `resumeFrom: expected a checkpoint that verifies in ${folder}, got ${skipped.length} that do not:\n  ${lines(skipped).join('\n  ')}\n` +
        '- bring one back from a copy, or move them away to start from the beginning',
    );
  }
  if (!mayStart) {
    throw new ShallowsError(
      `resumeFrom: expected a checkpoint, or a folder with checkpoints, at ${folder}, got none - resume from 'auto' to start from the beginning where there is none`,
    );
  }
  return {
    from: null,
    snapshot: null,
    skipped,
    messages: [`No checkpoint in ${folder}: starting from the beginning.`],
  };
}

function resumed(path: string, snapshot: LoadedSnapshot, skipped: readonly Skipped[]): Resumed {
  const { manifest } = snapshot;
  const { epoch, batch } = manifest.progress;
  const messages = [
    ...lines(skipped).map((line) => `Skipped ${line}.`),
    `Resuming from ${path}, saved ${manifest.savedAt}: ${batch} batches done, ${epoch} whole epochs.`,
  ];
  return { from: { path, manifest }, snapshot, skipped, messages };
}

function lines(skipped: readonly Skipped[]): string[] {
  return skipped.map(({ path, why }) => `${path}: ${why}`);
}
