import type { Context } from './context.js';

/** `shallows setup [--force]` */
export default async function setup(this: Context, { force }: { readonly force: boolean }): Promise<void> {
  const { ensureAddon } = await import('@shallows/torch/setup');
  const { libtorch, path } = await ensureAddon({ force, log: (line) => this.terminal.stderr.write(`${line}\n`) });
  this.terminal.stdout.write(
    `libtorch ${libtorch.version} from ${libtorch.source} (${libtorch.root}), addon ${path}\n`,
  );
}
