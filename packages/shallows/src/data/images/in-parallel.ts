/** Works on some items at a time; where one fails, ends when those begun are done, with the first error in their order. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const iterator = items.entries();
  const worker = async (): Promise<void> => {
    for (const [i, item] of iterator) await work(item, i);
  };
  const outcomes = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
