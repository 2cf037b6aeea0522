import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rootKey } from '../../random/key.js';
import { Policy } from '../policy/policy.js';
import { rateSites } from '../policy/rate-sites.js';
import { drawPlan } from './plan.js';

const source = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'shallows-plan-'));
const program = join(folder, 'draw.mjs');

// Compiles the drawing code of this checkout, file by file along its relative imports: never a stale build.
function compile(path: string, done = new Set<string>()): void {
  if (done.has(path)) return;
  done.add(path);
  const text = readFileSync(path, 'utf8');
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const target = join(folder, relative(source, path)).replace(/\.ts$/, '.js');
  mkdirSync(dirname(target), { recursive: true });
  const code = ts.transpileModule(text, { compilerOptions: options }).outputText;
  writeFileSync(target, code);
  for (const [, specifier] of code.matchAll(/from '(\.[^']+)\.js'/g))
    compile(resolve(dirname(path), `${specifier}.ts`), done);
}

beforeAll(() => {
  compile(join(source, 'depth', 'plan', 'plan.ts'));
  compile(join(source, 'depth', 'policy', 'apply-policy.ts'));
  compile(join(source, 'depth', 'policy', 'policy.ts'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    program,
    `import { parentPort } from 'node:worker_threads';
     import { rateSites } from './depth/policy/rate-sites.js';
     import { drawPlan } from './depth/plan/plan.js';
     import { Policy } from './depth/policy/policy.js';
     import { rootKey } from './random/key.js';
     const policy = Policy({ drop: 0.5, ranks: 'independent' });
     const sites = rateSites(policy, Array.from({ length: 54 }, (_, i) => 'block.' + i));
     const plans = [];
     for (let step = 99; step >= 0; step--) plans[step] = drawPlan(policy, sites, { key: rootKey(42), step, microbatch: step % 3, rank: 1 });
     if (parentPort) parentPort.postMessage(plans); else process.stdout.write(JSON.stringify(plans));`,
  );
});

afterAll(() => rmSync(folder, { recursive: true }));

const policy = Policy({ drop: 0.5, ranks: 'independent' });
const sites = rateSites(
  policy,
  Array.from({ length: 54 }, (_, i) => `block.${i}`),
);
const here = Array.from({ length: 100 }, (_, step) =>
  drawPlan(policy, sites, { key: rootKey(42), step, microbatch: step % 3, rank: 1 }),
);

test('another process draws the same hundred plans', () => {
  const printed = execFileSync(process.execPath, [program], { encoding: 'utf8' });
  expect(JSON.parse(printed)).toEqual(here);
});

test('a worker thread draws the same hundred plans', async () => {
  const worker = new Worker(program);
  const plans = await new Promise((done, fail) => {
    worker.once('message', done);
    worker.once('error', fail);
  });
  await worker.terminate();
  expect(plans).toEqual(here);
});
