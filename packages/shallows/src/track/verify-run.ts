import { join } from 'node:path';
import { canonicalDigest } from './canonical-json.js';
import { short } from './journal/chain.js';
import { type JournalCheck, verifyJournal } from './journal/index.js';
import { readRun } from './read-run.js';
import { runFiles } from './run-files.js';
import { journalGenesis } from './run-identity.js';

/** What the check of a run's record and journal found. */
export interface RunCheck {
  readonly journal: JournalCheck;
  /** Whether the record of the finished run seals the journal: then also lines that were cut off at its end are noticed. */
  readonly sealed: boolean;
  /** What is wrong, in words; nothing where all agrees. */
  readonly problems: readonly string[];
}

/**
 * Checks that nothing of a run's record and journal was changed after it was written: the chain of the journal, that it is this run's
 * and ends where the record says, and that the recipe is the one of its digest.
 *
 * Whoever can write all files can also make them agree anew: keep the digest of the last line elsewhere against that.
 *
 * @throws ShallowsError for a folder without a run, a record that is broken, a missing journal
 */
export async function verifyRun(folder: string): Promise<RunCheck> {
  const record = await readRun(folder);
  const journal = await verifyJournal(join(folder, runFiles.journal), { genesis: journalGenesis(record) });
  const { broken, head, torn } = journal;
  const problems: string[] = [];
  if (canonicalDigest(record.recipe) !== record.recipeDigest)
    problems.push(`${runFiles.record}: the recipe is not the one of its digest ${short(record.recipeDigest)}`);
  if (broken !== null)
    problems.push(`${runFiles.journal}, line ${String(broken.line)}: expected ${broken.expected}, got ${broken.got}`);
  const seal = record.journal;
  if (seal !== null && broken === null) {
    if (head.lines !== seal.lines)
      problems.push(`${runFiles.journal}: ${String(head.lines)} lines, where the record says ${String(seal.lines)}`);
    else if (head.digest !== seal.digest)
      problems.push(
        `${runFiles.journal}: it ends with ${short(head.digest)}, where the record says ${short(seal.digest)}`,
      );
  }
  if (torn !== null && record.status !== 'running')
    problems.push(
      `${runFiles.journal}, line ${String(torn.line)}: ${String(torn.bytes)} bytes of a line that was cut off`,
    );
  return { journal, sealed: seal !== null, problems };
}
