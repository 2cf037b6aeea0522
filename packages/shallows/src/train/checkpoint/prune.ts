import { join } from 'node:path';
import type { Disk } from '../../files/index.js';
import { heldCheckpoints } from './hold.js';
import { reasonOf, verifyCheckpoint } from './inspect.js';
import { listCheckpoints } from './list.js';
import { type CompleteRetention, expendable } from './retention.js';
import { removeLeftovers, temporaryName } from './temporary.js';

/** What to clear out of a folder of checkpoints. */
export interface PruneJob {
  readonly folder: string;
  /** Null: only what is left over. */
  readonly retention: CompleteRetention | null;
}

/** What was cleared. */
export interface Pruned {
  readonly removed: readonly string[];
  /** What could not be deleted, and why. Nothing is lost by it but space. */
  readonly problems: readonly string[];
}

/**
 * Deletes the checkpoints that no rule keeps, and what dead writers left over. Before anything goes, the newest checkpoint
 * is read: where it does not verify, the newest one that does stays too, and where none does, all stay. What somebody
 * holds stays.
 *
 * Each is renamed first, so that a crash leaves no half of it among the others.
 */
export function pruneFolder(disk: Disk, { folder, retention }: PruneJob): Pruned {
  const removed: string[] = [];
  const problems: string[] = [];
  const tried = (what: string, run: () => void): void => {
    try {
      run();
    } catch (error) {
      problems.push(`${what}: ${reasonOf(error)}`);
    }
  };
  tried(folder, () => removeLeftovers(disk, folder));
  if (retention === null) return { removed, problems };
  const entries = listCheckpoints(folder);
  const doomed = new Set(expendable(entries, retention));
  for (const name of heldCheckpoints(disk, folder)) doomed.delete(name);
  if (doomed.size === 0) return { removed, problems };
  const good = entries.findLast(({ path, manifest }) => manifest !== null && verifyCheckpoint(path) === null);
  if (good === undefined)
    return { removed, problems: [...problems, `${folder}: no checkpoint verifies, so all are kept`] };
  doomed.delete(good.name);
  for (const name of doomed) {
    tried(name, () => {
      const aside = join(folder, temporaryName('removing'));
      disk.rename(join(folder, name), aside);
      disk.syncFolder(folder);
      removed.push(name);
      disk.remove(aside);
    });
  }
  return { removed, problems };
}
