import type { Recipe } from '../recipe/schema.js';
import { readRanks } from '../train/distributed/environment.js';
import type { DataParallel } from '../train/index.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';

/**
 * Runs `work` with the ranks that the environment says this process belongs to, or with null where it is alone. Where it
 * fails, the others are told why.
 */
export async function withRanks<T>(
  context: Context,
  { train: { batchNorm = 'local' } }: Pick<Recipe, 'train'>,
  work: (ranks: DataParallel | null) => Promise<T>,
): Promise<T> {
  const place = readRanks(context.terminal.env);
  if (place === null) return work(null);
  await needAddon(context);
  const { dataParallel } = await import('../train/index.js');
  const ranks = await dataParallel({ place, batchNorm });
  try {
    return await work(ranks);
  } catch (error) {
    await ranks.abort(error instanceof Error ? error.message : String(error)).catch(() => undefined);
    throw error;
  } finally {
    await ranks.close();
  }
}

/** What rank 0 finds out, on every rank; what this process finds out where it is alone. */
export async function fromFirst(ranks: DataParallel | null, find: () => Promise<string> | string): Promise<string> {
  if (ranks === null) return find();
  const { shareText } = await import('../train/index.js');
  return shareText(ranks, ranks.rank === 0 ? await find() : '');
}
