// npm run check:mutations [-- NAME …]: breaks the heart in one place at a time and sees that its tests notice.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const depth = 'packages/shallows/src/depth';

/** Each: what breaks, where, the text that is there once, what stands there instead. */
const mutations = [
  ['scale', `${depth}/plan/plan.ts`, 'return 1 / (1 - drop);', 'return 1 / (1 - drop / 2);'],
  ['scale-missing', `${depth}/plan/partial.ts`, 'if (scale === 1) return add', 'if (scale !== 0) return add'],
  ['scale-missing-relu', `${depth}/plan/partial.ts`, '0, scale], { rectify', '0, 1], { rectify'],
  ['realised-scale', `${depth}/plan/plan.ts`, "'realised' ? realised : 1", "'realised' ? 1 : realised"],
  ['schedule-index', `${depth}/policy/schedule.ts`, 'drop * ((v + 1) / count)', 'drop * (v / count)'],
  ['linspace-end', `${depth}/policy/schedule.ts`, 'drop * (v / (count - 1))', 'drop * (v / count)'],
  ['site-order', `${depth}/policy/find-sites.ts`, 'return [...names.keys()];', 'return [...names.keys()].reverse();'],
  ['layer-of-two-sites', `${depth}/policy/site.ts`, 'beside?.layer ?? this', 'this'],
  ['evaluation-drops', `${depth}/residual/residual.ts`, "pass.mode === 'evaluation' || ", ''],
  ['evaluation-scale', `${depth}/policy/apply-policy.ts`, '1 - factor * site.drop : 1', '1 : 1 - factor * site.drop'],
  [
    'ranks',
    `${depth}/plan/plan.ts`,
    "policy.ranks === 'independent' ? deriveKey(common",
    "policy.ranks === 'shared' ? deriveKey(common",
  ],
  ['sample-numbers', `${depth}/plan/plan.ts`, 'firstRow + row', 'row'],
  ['kept-count', `${depth}/plan/rows.ts`, 'least + 1 : least', 'least : least'],
  ['dinov2-count', `${depth}/plan/rows.ts`, 'Math.max(least, 1)', 'least'],
  ['kept-and-dropped', `${depth}/plan/rows.ts`, '>= drop) index.push', '< drop) index.push'],
  [
    'window-offset',
    `${depth}/plan/rows.ts`,
    'randint(places, rows - kept + 1)',
    'randint(places, Math.max(1, rows - kept))',
  ],
  ['budget', `${depth}/plan/budget.ts`, 'picked + offset < end', 'picked < end'],
  ['warmup-arrives', `${depth}/policy/time-schedule.ts`, 't >= w ? 1 : t / w', 't > w ? 1 : (t / w) * 0.9'],
  ['dropped-branch-runs', `${depth}/residual/residual.ts`, 'if (!kept) return skip(block, x, pass);', ''],
  ['activation-of-input', `${depth}/residual/residual.ts`, 'shortcut === x ? x : finish', 'finish'],
  ['ledger-counts-plan', `${depth}/proof/ledger.ts`, 'tally.dropped += ran.of - ran.kept;', 'tally.dropped += ran.of;'],
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !mutations.some(([each]) => each === name));
if (unknown.length > 0) {
  console.error(
    `check-mutations: expected names of ${mutations.map(([name]) => name).join(', ')}, got ${unknown.join(', ')}`,
  );
  process.exit(2);
}

const linked = ['node_modules', '.libtorch', 'packages/torch/build'];
const left = new Set(['.git', 'dist', 'runs', ...linked.map((path) => basename(path))]);
const copy = mkdtempSync(join(tmpdir(), 'shallows-mutations-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
cpSync(root, copy, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) });
for (const path of linked) symlinkSync(join(root, path), join(copy, path));

/** Whether the heart's tests pass in the copy. */
function passes() {
  const tests = [depth, 'packages/shallows/src/models/depth.test.ts'];
  const child = spawnSync(join(copy, 'node_modules/.bin/vitest'), ['run', '--bail', '1', ...tests], {
    cwd: copy,
    encoding: 'utf8',
  });
  return { passed: child.status === 0, output: child.stdout + child.stderr };
}

const plain = passes();
if (!plain.passed) {
  console.error(`check-mutations: expected the tests to pass before anything is broken\n${plain.output.slice(-3000)}`);
  process.exit(1);
}
let unnoticed = 0;
for (const [name, path, from, to] of mutations) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const file = join(copy, path);
  const text = readFileSync(file, 'utf8');
  if (text.split(from).length !== 2) {
    console.error(`check-mutations: ${name}: expected ${JSON.stringify(from)} once in ${path} - correct the list`);
    process.exit(1);
  }
  writeFileSync(
    file,
    text.replace(from, () => to),
  );
  const { passed, output } = passes();
  writeFileSync(file, text);
  const first = /FAIL\s+(.*)/.exec(output)?.[1] ?? '';
  console.log(passed ? `NOT NOTICED  ${name}` : `noticed      ${name.padEnd(22)} ${first}`);
  if (passed) unnoticed++;
}
console.log(`${unnoticed === 0 ? 'every mutation was noticed' : `${unnoticed} mutations were not noticed`}`);
process.exit(unnoticed === 0 ? 0 : 1);
