import { resolve } from 'node:path';
import { TorchError } from '../errors.js';
import { type SetupContext, setupContext } from './context.js';
import { wantedBuild, wantsPinned } from './driver.js';
import { inspectLibtorch, isAtLeast, type Libtorch, type LibtorchSource, oldestVersion } from './libtorch.js';
import { findPython } from './python.js';

/**
 * Finds the libtorch of this machine: the one that `LIBTORCH` names; else the `torch` of `python3`; else the system's.
 * Installs nothing.
 *
 * @throws TorchError where `LIBTORCH` names a folder that holds no libtorch, or one that cannot be used.
 */
export async function locateLibtorch(replaced: Partial<SetupContext> = {}): Promise<Libtorch | undefined> {
  const context = setupContext(replaced);
  const { env, log } = context;
  if (env.LIBTORCH) return namedLibtorch(resolve(env.LIBTORCH), 'LIBTORCH', context);
  // An archive is a wish as clear as a folder.
  if (env.LIBTORCH_ARCHIVE || wantsPinned(context)) return undefined;

  const python = await findPython(context);
  const candidates: (readonly [string, LibtorchSource])[] = context.systemRoots.map((root) => [root, 'system']);
  if (python?.torch !== undefined) candidates.unshift([python.torch, 'python3']);
  for (const [root, source] of candidates) {
    const found = inspectLibtorch(root, source, context);
    if (typeof found === 'string') continue;
    const objection = objectionTo(found, context);
    if (objection === undefined) return found;
    log(`passed over libtorch ${found.version} in ${root}: ${objection}`);
  }
  return undefined;
}

/** The libtorch in a folder that the user named: it must be there and fit. */
export function namedLibtorch(root: string, source: LibtorchSource, context: SetupContext): Libtorch {
  const found = inspectLibtorch(root, source, context);
  if (typeof found === 'string') {
    throw new TorchError(
      `setup: expected ${source} to be a libtorch or torch folder, got ${root} (${found}) - name a folder with lib/ and include/`,
    );
  }
  const objection = objectionTo(found, context);
  if (objection !== undefined) {
    throw new TorchError(
      `setup: libtorch ${found.version} in ${root} cannot be used: ${objection} - name another, or unset ${source}`,
    );
  }
  return found;
}

function objectionTo({ version, cuda }: Libtorch, context: SetupContext): string | undefined {
  if (!isAtLeast(version, oldestVersion)) return `it is older than ${oldestVersion}`;
  const wanted = wantedBuild(context);
  if (wanted === 'cuda' && !cuda) return 'SHALLOWS_LIBTORCH=cuda asks for a build with CUDA';
  if (wanted === 'cpu' && cuda) return 'SHALLOWS_LIBTORCH=cpu asks for a build without CUDA';
  return undefined;
}
