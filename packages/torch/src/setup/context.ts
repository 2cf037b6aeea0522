import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a set-up reads from and writes to: everything it takes from its surroundings, so that tests can give others. */
export interface SetupContext {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** The folder of `@shallows/torch`: it holds `native/`, and `build/` is made in it. */
  readonly packageFolder: string;
  /** The folder into which libtorch is installed where the machine has none. */
  readonly installFolder: string;
  /** Folders under which the system's package manager puts libtorch. */
  readonly systemRoots: readonly string[];
  /** One line of progress. */
  readonly log: (line: string) => void;
}

/** The surroundings of this process, with parts replaced. */
export function setupContext(replaced: Partial<SetupContext> = {}): SetupContext {
  // The same place seen from src/setup and from dist/setup.
  const packageFolder = replaced.packageFolder ?? fileURLToPath(new URL('../..', import.meta.url));
  return {
    env: process.env,
    platform: process.platform,
    arch: process.arch,
    packageFolder,
    installFolder: join(checkoutRoot(packageFolder) ?? packageFolder, '.libtorch'),
    systemRoots: ['/usr', '/usr/local', '/opt/homebrew/opt/pytorch', '/usr/local/opt/pytorch'],
    log: () => undefined,
    ...replaced,
  };
}

/** The root of the repository that `packageFolder` is part of, or `undefined` for an installed package. */
function checkoutRoot(packageFolder: string): string | undefined {
  const root = dirname(dirname(join(packageFolder, '.')));
  return existsSync(join(root, 'tsconfig.base.json')) ? root : undefined;
}

/** The files of a build: all of them in `build/` of the package. */
export function buildFiles(
  context: SetupContext,
): Readonly<Record<'folder' | 'addon' | 'stamp' | 'log' | 'cmake' | 'lock', string>> {
  const folder = join(context.packageFolder, 'build');
  return {
    folder,
    addon: join(folder, 'shallows_torch.node'),
    stamp: join(folder, 'libtorch.json'),
    log: join(folder, 'setup.log'),
    cmake: join(folder, 'cmake'),
    lock: join(folder, 'setup.lock'),
  };
}

/** Where the addon is, or will be once it is built. */
export function addonPath(): string {
  return buildFiles(setupContext()).addon;
}
