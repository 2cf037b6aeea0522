import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SetupContext } from './context.js';

const partialPrefix = '.partial-';

/**
 * Fills a folder under the install folder through a temporary one that is renamed at the end, so that an interrupted
 * installation leaves nothing that looks like a whole one. The caller holds the set-up's lock.
 */
export async function install(
  { installFolder }: SetupContext,
  name: string,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  mkdirSync(installFolder, { recursive: true });
  for (const left of readdirSync(installFolder).filter((entry) => entry.startsWith(partialPrefix))) {
    discard(join(installFolder, left));
  }
  // A pip whose set-up was killed may still be at work: it has a folder of its own.
  const partial = join(installFolder, `${partialPrefix}${process.pid}-${name}`);
  const whole = join(installFolder, name);
  mkdirSync(partial);
  try {
    await fill(partial);
    prune(partial);
    rmSync(whole, { recursive: true, force: true });
    renameSync(partial, whole);
  } finally {
    discard(partial);
  }
  return whole;
}

function discard(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // Someone still writes to it: the next installation tries again.
  }
}

const keptAtTop = new Set(['torch', 'torch.libs', 'nvidia', 'libtorch', 'lib', 'include', 'build-version']);
const keptInTorch = new Set(['lib', 'include', 'version.py', 'build-version', '.dylibs']);
// Python's own half of torch, and libraries of PyTorch's tests.
const needless =
  /^lib(torch_python|shm|backend_with_compiler|jitbackend_test|torchbind_test|aoti_custom_ops|.*_test)(_windows)?(\.|$)/;

/** Drops what an addon does not need: Python files, programs, tests. */
function prune(folder: string): void {
  keep(folder, (name) => keptAtTop.has(name));
  for (const name of ['torch', 'libtorch']) keep(join(folder, name), (entry) => keptInTorch.has(entry));
  for (const name of ['torch/lib', 'libtorch/lib', 'lib']) keep(join(folder, name), (entry) => !needless.test(entry));
}

function keep(folder: string, isKept: (name: string) => boolean): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (!isKept(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
