/** The median duration of a call in milliseconds, after warming up. */
export function measure(
  run: () => void,
  { warmup, repeats }: { readonly warmup: number; readonly repeats: number },
): number {
  for (let i = 0; i < warmup; i++) run();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  times.sort((x, y) => x - y);
  return times[times.length >> 1] as number;
}
