import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { TorchError } from '../errors.js';
import { run, tail } from './command.js';
import { buildFiles, type SetupContext } from './context.js';
import type { Libtorch } from './libtorch.js';
import { findTools, type Tools } from './tools.js';
import { verifyAddon } from './verify.js';

/** Digest of the native sources and of everything that CMake is told, so that a change of either builds again. */
export function buildDigest(libtorch: Libtorch, context: SetupContext): string {
  const hash = createHash('sha256').update(JSON.stringify([definitions(libtorch, context), libtorch.identity]));
  const folder = join(context.packageFolder, 'native');
  for (const name of readdirSync(folder).sort()) {
    hash.update(`\n${name}\n`).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

/**
 * Builds the addon against a libtorch, loads it once in a process of its own and puts it in place.
 *
 * @throws TorchError with the compiler's last lines and the place of the full log.
 */
export async function buildAddon(libtorch: Libtorch, context: SetupContext): Promise<void> {
  const { cmake, addon } = buildFiles(context);
  const tools = await findTools(context);
  await configure(libtorch, tools, context);
  const compile = ['--build', cmake, '--parallel', String(availableParallelism())];
  await step('the compiler', tools.cmake, compile, libtorch, context);
  const built = join(cmake, 'shallows_torch.node');
  await verifyAddon(built, libtorch, context);
  // A new file in place of the old one: processes that have the old one loaded keep it.
  copyFileSync(built, `${addon}.new`);
  renameSync(`${addon}.new`, addon);
}

async function configure(libtorch: Libtorch, tools: Tools, context: SetupContext): Promise<void> {
  const { cmake } = buildFiles(context);
  const args = [
    '-S',
    join(context.packageFolder, 'native'),
    '-B',
    cmake,
    '-G',
    tools.generator,
    '-DCMAKE_BUILD_TYPE=Release',
    `-DCMAKE_CXX_COMPILER=${tools.compiler}`,
    ...Object.entries(definitions(libtorch, context)).map(([name, value]) => `-D${name}=${value}`),
  ];
  // Objects of another libtorch must not survive: its headers may be older than they are.
  const record = join(cmake, 'configured.json');
  const told = JSON.stringify([args, libtorch.identity]);
  if (!existsSync(record) || readFileSync(record, 'utf8') !== told) rmSync(cmake, { recursive: true, force: true });
  mkdirSync(cmake, { recursive: true });
  await step('CMake', tools.cmake, args, libtorch, context);
  writeFileSync(record, told);
}

function definitions(
  { lib, include, searchPath, cuda, cxx11Abi }: Libtorch,
  context: SetupContext,
): Record<string, string> {
  const resolve = createRequire(join(context.packageFolder, 'package.json')).resolve;
  return {
    LIBTORCH_LIB: lib,
    LIBTORCH_INCLUDE: include.join(';'),
    LIBTORCH_SEARCH_PATH: searchPath.join(';'),
    LIBTORCH_CUDA: cuda ? '1' : '0',
    LIBTORCH_CXX11_ABI: cxx11Abi ? '1' : '0',
    NODE_ADDON_API: dirname(resolve('node-addon-api/package.json')),
    NODE_API_HEADERS: join(dirname(resolve('node-api-headers/package.json')), 'include'),
  };
}

async function step(
  who: string,
  command: string,
  args: readonly string[],
  { source, version }: Libtorch,
  context: SetupContext,
): Promise<void> {
  const { log } = buildFiles(context);
  const { code, output } = await run(command, args, { env: context.env, logFile: log });
  if (code === 0) return;
  const found = source === 'python3' || source === 'system';
  const instead = found ? ` (to leave libtorch ${version} of ${source} aside: SHALLOWS_LIBTORCH=pip)` : '';
  throw new TorchError(
    `setup: expected the addon to build, got an error from ${who} - the last lines are below, all of them in ${log}${instead}\n${tail(output)}`,
  );
}
