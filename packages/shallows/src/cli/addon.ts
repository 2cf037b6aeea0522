import type { Context } from './context.js';

/** Makes sure of libtorch and the addon before the first use of either; silent where both are there. */
export async function needAddon({ terminal }: Context) {
  const { ensureAddon } = await import('@shallows/torch/setup');
  return ensureAddon({ log: (line) => terminal.stderr.write(`${line}\n`) });
}
