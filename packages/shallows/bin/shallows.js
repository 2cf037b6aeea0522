#!/usr/bin/env node
// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const entry = new URL('../dist/cli/main.js', import.meta.url);

/** Compiles the checkout that this file lies in. */
function build() {
  process.stderr.write('compiling shallows (once)\n');
  const root = here('../../..');
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  // Forced: what is left of an earlier build may say that there is nothing to do.
  const { status } = spawnSync(process.execPath, [compiler, '-b', '--force', root], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(1);
}

// A compilation writes its build information last: without it, what is in dist may be half of it.
const isCheckout = existsSync(here('../src/cli/main.ts'));
if (isCheckout && !(existsSync(entry) && existsSync(here('../tsconfig.tsbuildinfo')))) build();

/** @type {{ main(argv: readonly string[]): Promise<number> }} */
const { main } = await import(entry.href);
process.exitCode = await main(process.argv.slice(2));
