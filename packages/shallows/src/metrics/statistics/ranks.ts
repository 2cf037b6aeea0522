/** The positions of the values in ascending order; equal values keep theirs. */
export function ascendingOrder(values: Float64Array): Uint32Array {
  const order = Uint32Array.from(values, (_, i) => i);
  return order.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || a - b);
}

/**
 * @internal The runs of equal values along an order: `[start, end)` in it.
 */
export function* tieGroups(values: Float64Array, order: Uint32Array): Generator<readonly [start: number, end: number]> {
  for (let start = 0; start < order.length; ) {
    const value = values[order[start] ?? 0];
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === value) end++;
    yield [start, end];
    start = end;
  }
}

/**
 * Ranks from 1; equal values share the mean of theirs (mid-ranks), as SciPy's `rankdata`.
 *
 * @param values finite numbers, `[N]`
 * @returns `[N]`
 */
export function midRanks(values: Float64Array): Float64Array {
  const order = ascendingOrder(values);
  const ranks = new Float64Array(values.length);
  for (const [start, end] of tieGroups(values, order)) {
    for (let i = start; i < end; i++) ranks[order[i] ?? 0] = (start + 1 + end) / 2;
  }
  return ranks;
}

/** @internal The number of the run of equal values in which each row is, in ascending order, and how many runs there are. */
export function tieNumbers(values: Float64Array): { readonly numbers: Uint32Array; readonly count: number } {
  const order = ascendingOrder(values);
  const numbers = new Uint32Array(values.length);
  let count = 0;
  for (const [start, end] of tieGroups(values, order)) {
    for (let i = start; i < end; i++) numbers[order[i] ?? 0] = count;
    count++;
  }
  return { numbers, count };
}
