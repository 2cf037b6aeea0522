import { missing, type Need, needs } from './advice.js';
import { findCommand, run } from './command.js';
import type { SetupContext } from './context.js';
import { isAtLeast } from './libtorch.js';

/** The commands that build the addon. */
export interface Tools {
  readonly cmake: string;
  readonly compiler: string;
  readonly generator: 'Ninja' | 'Unix Makefiles';
}

/**
 * Finds the compiler, CMake and Ninja or make.
 *
 * @throws TorchError that names all that are missing, with the commands which install them.
 */
export async function findTools({ env, platform }: Pick<SetupContext, 'env' | 'platform'>): Promise<Tools> {
  const find = (...names: string[]): string | undefined => {
    for (const name of names) {
      const path = findCommand(name, env);
      if (path !== undefined) return path;
    }
    return undefined;
  };
  let compiler = find(...(env.CXX ? [env.CXX] : []), 'c++', 'g++', 'clang++');
  // Without its command line tools, macOS has a c++ that only asks to install them.
  if (platform === 'darwin' && compiler === '/usr/bin/c++' && (await run('xcode-select', ['-p'], { env })).code !== 0)
    compiler = undefined;
  let cmake = find('cmake');
  if (cmake !== undefined && !(await isRecent(cmake, env))) cmake = undefined;
  const ninja = find('ninja');
  const make = ninja ?? find('make');

  if (compiler === undefined || cmake === undefined || make === undefined) {
    const absent: Need[] = [];
    if (compiler === undefined) absent.push(needs.compiler);
    if (cmake === undefined) absent.push(needs.cmake);
    if (make === undefined) absent.push(needs.make);
    throw missing(absent);
  }
  return { cmake, compiler, generator: ninja === undefined ? 'Unix Makefiles' : 'Ninja' };
}

async function isRecent(cmake: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const { output } = await run(cmake, ['--version'], { env });
  return isAtLeast(/version (\d[\d.]*)/.exec(output)?.[1] ?? '0', '3.18');
}
