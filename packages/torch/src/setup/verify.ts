import { TorchError } from '../errors.js';
import { run, tail } from './command.js';
import { buildFiles, type SetupContext } from './context.js';
import { describeLibtorch, type Libtorch } from './libtorch.js';

const program = `
const addon = require(process.argv[1]);
process.stdout.write('\\n' + JSON.stringify(typeof addon.version === 'function' ? addon.version().libtorch : null));
`;

/**
 * Loads an addon in a process of its own: a library that does not load may end the process.
 *
 * @throws TorchError with the loader's reason, or where another libtorch was loaded than the one it was built with.
 */
export async function verifyAddon(path: string, libtorch: Libtorch, context: SetupContext): Promise<void> {
  const env = { ...context.env, NODE_OPTIONS: '' };
  const { code, output } = await run(process.execPath, ['-e', program, path], {
    env,
    logFile: buildFiles(context).log,
  });
  if (code !== 0) {
    const reason = /^Error: (.+)$/m.exec(output)?.[1] ?? tail(output, 5);
    throw new TorchError(
      `setup: expected the addon to load with ${describeLibtorch(libtorch)}, got: ${reason} - unset LD_LIBRARY_PATH if it names another libtorch, or name one with LIBTORCH=FOLDER`,
    );
  }
  const loaded: unknown = JSON.parse(output.trimEnd().split('\n').at(-1) ?? 'null');
  if (typeof loaded === 'string' && numbers(loaded) !== numbers(libtorch.version)) {
    throw new TorchError(
      `setup: expected the addon to load libtorch ${libtorch.version}, got ${loaded} - unset LD_LIBRARY_PATH, which names another libtorch`,
    );
  }
}

function numbers(version: string): string {
  return /^\d+(\.\d+)*/.exec(version)?.[0] ?? version;
}
