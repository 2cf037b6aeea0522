// @ts-check
// Enforces the layers of .dependency-cruiser.cjs, and that every source file was looked at: zero modules would pass too.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const folders = ['packages/torch/src', 'packages/shallows/src', 'tests', 'bench'].filter((folder) =>
  existsSync(folder),
);

/** @param {string} folder @returns {string[]} */
const sourcesIn = (folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|mjs)$/.test(path) && !/(^|\/)(dist|node_modules)\//.test(path))
    .map((path) => join(folder, path));

const { output } = await cruise(folders, await extractDepcruiseOptions('./.dependency-cruiser.cjs'), undefined, {
  tsConfig: extractTSConfig('./tsconfig.tests.json'),
});
if (typeof output === 'string') throw new Error(`dependency-cruiser: expected a result, got ${output}`);
const { modules, summary } = output;
for (const { rule, from, to, cycle } of summary.violations) {
  process.stderr.write(`${rule.name}: ${from} -> ${cycle?.map(({ name }) => name).join(' -> ') ?? to}\n`);
}

const cruised = new Set(modules.map(({ source }) => source));
const expected = folders.flatMap(sourcesIn);
const unseen = expected.filter((path) => !cruised.has(path));
for (const path of unseen) process.stderr.write(`not cruised: ${path}\n`);
const imports = modules.reduce((sum, { dependencies }) => sum + dependencies.length, 0);

process.stdout.write(`layers: ${expected.length} files, ${imports} imports, ${summary.violations.length} violations\n`);
const isWhole = expected.length > 0 && imports > expected.length && unseen.length === 0;
process.exitCode = isWhole && summary.violations.length === 0 ? 0 : 1;
