import { parseArgs } from 'node:util';
import { TorchError } from '../errors.js';
import { ensureAddon } from './ensure.js';

const help = `Finds or installs libtorch and builds the native addon. Does nothing where nothing has changed.

  --force   search and build again
  --quiet   say nothing where nothing is to be done

  LIBTORCH=FOLDER             the libtorch or torch folder to use
  LIBTORCH_ARCHIVE=ZIP        a libtorch archive to install: a path or URL
  SHALLOWS_LIBTORCH=cpu|cuda  the kind of build to use or install
  SHALLOWS_LIBTORCH=pip       the tested libtorch, whatever the machine has
`;

async function main(): Promise<number> {
  let values: { force?: boolean; quiet?: boolean; help?: boolean };
  try {
    const flag = { type: 'boolean' } as const;
    ({ values } = parseArgs({ options: { force: flag, quiet: flag, help: flag } }));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  let worked = false;
  const log = (line: string): void => {
    worked = true;
    process.stderr.write(`setup: ${line}\n`);
  };
  try {
    const { libtorch } = await ensureAddon({ force: values.force ?? false, log });
    if (worked || !values.quiet) log(`ready: libtorch ${libtorch.version}`);
    return 0;
  } catch (error) {
    process.stderr.write(
      `${error instanceof TorchError ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
    );
    return 1;
  }
}

process.exitCode = await main();
