import { execFile, spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { promisify } from 'node:util';
import type { GitState } from './run-record.js';

/** How long git may take altogether. */
const LIMIT_MS = 5000;

// Nothing that a repository's configuration names is run on the way: no monitor, no external diff, no text conversion.
const SAFE = ['-c', 'core.fsmonitor=false', '-c', 'core.quotePath=true'];

/**
 * The commit of the repository around a folder, and a digest of what differs from it: SHA-256 over the binary diff of
 * tracked files (`git diff HEAD`) and the names of untracked files that are not ignored.
 *
 * @returns null outside of a repository, before its first commit, or without git; it never throws and ends within
 *   seconds
 */
export async function gitState(folder: string, { limitMs = LIMIT_MS } = {}): Promise<GitState | null> {
  const signal = AbortSignal.timeout(limitMs);
  try {
    const { stdout } = await promisify(execFile)('git', [...SAFE, 'rev-parse', '--verify', 'HEAD'], {
      cwd: folder,
      signal,
      env: quiet(),
    });
    return { commit: stdout.trim(), dirty: await dirtyDigest(folder, signal) };
  } catch {
    return null;
  }
}

async function dirtyDigest(folder: string, signal: AbortSignal): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    const changed = await pour(hash, ['diff', 'HEAD', '--binary', '--no-ext-diff', '--no-textconv'], folder, signal);
    hash.update('\0');
    const added = await pour(hash, ['ls-files', '--others', '--exclude-standard', '-z', ':/'], folder, signal);
    return changed + added === 0 ? null : hash.digest('hex');
  } catch {
    return 'unknown';
  }
}

/** Hashes what a git command prints, as it comes: a diff may be larger than memory should hold. */
function pour(hash: Hash, args: readonly string[], cwd: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const child = spawn('git', [...SAFE, ...args], { cwd, signal, env: quiet(), stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(bytes);
      else reject(new Error(`git ended with ${String(code)}`));
    });
  });
}

function quiet(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0' };
}
