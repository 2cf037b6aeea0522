/**
 * @internal The sum of many numbers with Neumaier's compensation: 54 linear rates of 0.5 leave 40.25 blocks and not a
 * neighbour of it.
 */
export function compensatedSum(values: readonly number[]): number {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
}
