import type { Parallel } from '../parallel.js';

/** Gives every rank the text of rank 0: what others give is not read. All ranks must call it. */
export async function shareText(parallel: Pick<Parallel, 'rank' | 'sum'>, text: string): Promise<string> {
  const own = parallel.rank === 0 ? Array.from(Buffer.from(text, 'utf8')) : [];
  const [length = 0] = await parallel.sum([own.length]);
  if (length === 0) return '';
  const bytes = await parallel.sum(Array.from({ length }, (_, i) => own[i] ?? 0));
  return Buffer.from(bytes).toString('utf8');
}
