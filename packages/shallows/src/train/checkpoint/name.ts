import { ShallowsError, shown } from '../../errors.js';
import type { Progress } from '../events.js';
import { limits } from './layout.js';

/** The name of a checkpoint by where its run stands: `ep3-ba1200` after 3 epochs and 1,200 batches in all. */
export function checkpointName({ epoch, batch }: Pick<Progress, 'epoch' | 'batch'>): string {
  return `ep${epoch}-ba${batch}`;
}

/** @throws ShallowsError for what is no name of a folder on every system, or begins like a temporary one */
export function checkName(fn: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length <= limits.nameLength && /^[A-Za-z0-9][\w.-]*$/.test(name)) return;
  throw new ShallowsError(
    `${fn}: expected a name of at most ${limits.nameLength} letters, digits, '-', '_' and '.', got ${shown(name)} - leave it out for names such as ep3-ba1200`,
  );
}
