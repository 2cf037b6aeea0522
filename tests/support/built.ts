import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = new Set<string>();

function build(project: string): void {
  if (built.has(project)) return;
  spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b', project], { cwd: root });
  built.add(project);
}

/** Brings what is built up to date: threads and other processes run that. `npm test` has done it before, so that it is quick. */
export function bringBuiltUpToDate(): void {
  build('packages/shallows');
}

/** The same of the programs that torture runs. */
export function bringTortureUpToDate(): void {
  build('tests/torture');
}

/** The URL of a built module of the library, such as `train/index.js`. */
export function builtModule(path: string): string {
  return new URL(`../../packages/shallows/dist/${path}`, import.meta.url).href;
}
