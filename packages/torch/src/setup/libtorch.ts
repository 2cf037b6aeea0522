import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SetupContext } from './context.js';

/** How a libtorch was found. */
export type LibtorchSource = 'LIBTORCH' | 'LIBTORCH_ARCHIVE' | 'python3' | 'system' | 'pip';

/** A libtorch that an addon can be built against. */
export interface Libtorch {
  readonly source: LibtorchSource;
  /** The folder that was asked for or found. */
  readonly root: string;
  /** As libtorch writes it, such as `2.13.0+cpu`. */
  readonly version: string;
  /** The folder of the shared libraries. */
  readonly lib: string;
  readonly include: readonly string[];
  /** Folders that the addon searches for shared libraries, in this order. */
  readonly searchPath: readonly string[];
  readonly cuda: boolean;
  /** Whether it was built with `std::__cxx11::string`: a build with the other string does not link. */
  readonly cxx11Abi: boolean;
  /** Changes when another libtorch takes the same place. */
  readonly identity: string;
}

/** Older ones lack what the addon calls; the tests run on {@link pinnedVersion}. */
export const oldestVersion = '2.6';

/** The version that is installed where the machine has none: the one that the tests run on. */
export const pinnedVersion = '2.13.0';

/**
 * Reads what kind of libtorch a folder holds: one with `lib/` and `include/`, one that holds such a folder named
 * `torch`, or a system's prefix. Returns what is missing, as text, where it is none.
 */
export function inspectLibtorch(root: string, source: LibtorchSource, context: SetupContext): Libtorch | string {
  const suffix = librarySuffix(context);
  const base = existsSync(join(root, 'torch', 'lib')) ? join(root, 'torch') : root;
  const lib = libraryFolders(base).find((folder) => existsSync(join(folder, `libtorch_cpu.${suffix}`)));
  if (lib === undefined) return `no lib/libtorch_cpu.${suffix}`;
  const core = join(lib, `libc10.${suffix}`);
  if (!existsSync(core)) return `no lib/libc10.${suffix}`;
  const include = join(base, 'include');
  if (!existsSync(join(include, 'ATen', 'ATen.h'))) return 'no include/ATen/ATen.h';
  const version = readVersion(base);
  if (version === undefined) return 'no version in version.py, build-version or include/';
  return {
    source,
    root,
    version,
    lib,
    include: [include, join(include, 'torch', 'csrc', 'api', 'include')],
    searchPath: [lib, ...companionFolders(base)],
    cuda: existsSync(join(lib, `libtorch_cuda.${suffix}`)),
    cxx11Abi: usesCxx11Strings(core),
    identity: libtorchIdentity(lib, context),
  };
}

/** What a folder of libraries holds right now, cheap enough to ask on every start; see {@link Libtorch.identity}. */
export function libtorchIdentity(lib: string, context: Pick<SetupContext, 'platform'>): string {
  return ['c10', 'torch_cpu'].map((name) => fileIdentity(join(lib, `lib${name}.${librarySuffix(context)}`))).join(' ');
}

/** Size and time of a file, or `none`. */
export function fileIdentity(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.size} ${stat.mtimeMs}`;
}

function librarySuffix({ platform }: Pick<SetupContext, 'platform'>): string {
  return platform === 'darwin' ? 'dylib' : 'so';
}

function libraryFolders(base: string): string[] {
  const lib = join(base, 'lib');
  // Debian: /usr/lib/x86_64-linux-gnu.
  const multiarch = existsSync(lib) ? readdirSync(lib).filter((name) => /^[a-z0-9_]+-linux-gnu\w*$/.test(name)) : [];
  return [lib, join(base, 'lib64'), ...multiarch.map((name) => join(lib, name))];
}

/** The wheels' CUDA libraries lie beside the `torch` folder: `nvidia/<name>/lib`. */
function companionFolders(base: string): string[] {
  const nvidia = join(dirname(base), 'nvidia');
  if (!existsSync(nvidia)) return [];
  return readdirSync(nvidia)
    .map((name) => join(nvidia, name, 'lib'))
    .filter((folder) => existsSync(folder));
}

function readVersion(base: string): string | undefined {
  const places: readonly (readonly [string, RegExp])[] = [
    ['version.py', /^__version__ = ['"]([^'"]+)['"]/m],
    ['build-version', /^(\d\S*)/],
    ['include/torch/headeronly/version.h', /define TORCH_VERSION\s*\\?\s*"([^"]+)"/],
    ['include/torch/csrc/api/include/torch/version.h', /define TORCH_VERSION\s*\\?\s*"([^"]+)"/],
  ];
  for (const [path, pattern] of places) {
    const file = join(base, path);
    const found = existsSync(file) ? pattern.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function usesCxx11Strings(core: string): boolean {
  const library = readFileSync(core);
  // c10::detail::torchCheckFail(char const*, char const*, unsigned, std::string const&) with the older string.
  if (library.includes('torchCheckFailEPKcS2_jRKSs')) return false;
  // Apple's standard library has one string only.
  return library.includes('__cxx11') || library.includes('St3__1');
}

/** Compares dotted versions by their numbers; what follows a `+` does not count. */
export function isAtLeast(version: string, floor: string): boolean {
  const numbers = (text: string): number[] =>
    (text.split('+')[0] ?? '').split('.').map((part) => Number.parseInt(part, 10));
  const have = numbers(version);
  for (const [i, want] of numbers(floor).entries()) {
    const got = have[i] ?? 0;
    if (got !== want) return got > want;
  }
  return true;
}

/** One line for people: `libtorch 2.13.0+cpu of python3, /path`. */
export function describeLibtorch({ version, source, root, cuda }: Libtorch): string {
  const origin = {
    LIBTORCH: 'named by LIBTORCH',
    LIBTORCH_ARCHIVE: 'from LIBTORCH_ARCHIVE',
    python3: 'of python3',
    system: 'of the system',
    pip: 'installed with pip',
  };
  return `libtorch ${version}${cuda ? ' with CUDA' : ''}, ${origin[source]} (${root})`;
}
