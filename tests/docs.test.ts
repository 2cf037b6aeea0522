import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { setNumThreads } from '@shallows/torch';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parseRecipe } from '../packages/shallows/src/recipe/parse.js';
import { runRecipe } from '../packages/shallows/src/recipe/run.js';

// Every TypeScript block of the guides is compiled under the project's own settings and run. A block that begins with an
// import starts a program; the blocks after it go on with it. What `console.log(…); // text` says must be printed.

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

function programsOf(page: string): string[] {
  const programs: string[] = [];
  for (const [, block = ''] of readFileSync(join(root, page), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)) {
    if (block.startsWith('import ') || programs.length === 0) programs.push(block);
    else programs.push(`${programs.pop()}\n${block}`);
  }
  return programs;
}

const programs = pages.flatMap((page) => programsOf(page).map((text, i) => ({ name: `${page} ${i + 1}`, text })));
const folder = mkdtempSync(join(tmpdir(), 'shallows-docs-'));
const home = process.cwd();

beforeAll(async () => {
  setNumThreads(1);
  // The guides read the runs of the quick start.
  const recipe = `{ name: tiny, model: { kind: cifar-resnet, depth: 8 }, optimizer: { kind: sgd, lr: 0.05 },
    data: { kind: textures, train: 20, validation: 10, size: 8 }, train: { duration: 2ba, batchSize: 10 } }`;
  for (const [name, override] of [
    ['stochastic', 'depth={kind: stochastic, drop: 0.5}'],
    ['plain', 'depth.kind=none'],
  ] as const) {
    const run = join(folder, 'runs/quickstart', name);
    mkdirSync(run, { recursive: true });
    await runRecipe(parseRecipe(recipe, { file: 'tiny.yaml', overrides: [override] }), { folder: run, command: [] });
  }
  process.chdir(folder);
});
afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

test('the guides hold programs', () => {
  expect(programs.length).toBeGreaterThan(8);
});

test('every program compiles', () => {
  const configPath = join(root, 'tsconfig.tests.json');
  const config = ts.parseJsonConfigFileContent(ts.readConfigFile(configPath, ts.sys.readFile).config, ts.sys, root);
  // Beside the sources, so that their dependencies are found; the files exist in memory alone.
  const virtual = new Map(
    programs.map(({ text }, i) => [join(root, 'tests', `guide-${i}.ts`), `${text}\nexport {};\n`]),
  );
  const options: ts.CompilerOptions = { ...config.options, noUnusedLocals: false };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists(path);
  host.readFile = (path) => virtual.get(path) ?? readFile(path);
  host.getSourceFile = (path, languageVersion) => {
    const text = virtual.get(path);
    return text === undefined ? getSourceFile(path, languageVersion) : ts.createSourceFile(path, text, languageVersion);
  };
  const program = ts.createProgram([...virtual.keys()], options, host);
  const problems = [...virtual.keys()].flatMap((path, i) => {
    const file = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(
      ({ messageText }) => `${programs[i]?.name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  });
  expect(problems).toEqual([]);
});

test.each(programs)('$name runs, and prints what its comments say', async ({ text, name }) => {
  const path = join(folder, `${name.replaceAll(/\W/g, '-')}.ts`);
  writeFileSync(path, `${text}\nexport {};\n`);
  const printed: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
    printed.push(values.map((each) => (typeof each === 'string' ? each : inspect(each))).join(' '));
  });
  try {
    await import(path);
  } finally {
    log.mockRestore();
  }
  const promised = Array.from(text.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm), (match) => match[1] ?? '');
  expect(printed.filter((line) => promised.includes(line))).toEqual(promised);
});
