import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { version } from '@shallows/torch';
import { type PythonVersions, pythonVersions } from './python.js';

/** Where figures come from. */
export interface Origin {
  /** When the run began, ISO 8601. */
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGB: number;
    readonly system: string;
  };
  readonly versions: { readonly node: string; readonly libtorch: string; readonly peers: PythonVersions };
  /** What the code was: `dirty` where files differed from the commit. */
  readonly commit: { readonly hash: string; readonly dirty: boolean } | null;
}

/** The machine, the versions and the state of the code. */
export function originOf(python: string | null): Origin {
  return {
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGB: Math.round(totalmem() / 1e9),
      system: `${type()} ${release()}`,
    },
    versions: {
      node: process.version,
      libtorch: version().libtorch,
      peers: python === null ? {} : pythonVersions(python),
    },
    commit: commitState(),
  };
}

// Results and the page that is made from them change with every run: they are not the code.
const notCode = [':!bench/results', ':!docs/performance.md'];

function commitState(): Origin['commit'] {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return { hash: git('rev-parse', 'HEAD'), dirty: git('status', '--porcelain', '--', '.', ...notCode) !== '' };
  } catch {
    return null; // Not a checkout, or no git.
  }
}
