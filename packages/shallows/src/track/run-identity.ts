import { canonicalDigest } from './canonical-json.js';
import type { RunRecord } from './run-record.js';

/**
 * What the first line of a run's journal follows on: the SHA-256 of the canonical JSON of what tells this run from all others. None
 * of it changes while a run goes on.
 */
export function journalGenesis(record: RunRecord): string {
  const { schema, id, name, parent, command, user, startedAt, recipeDigest, seed, git, data } = record;
  return canonicalDigest({
    schema,
    id,
    name,
    parent,
    command,
    user,
    startedAt,
    recipeDigest,
    seed,
    git,
    data: data.digest,
  });
}
