import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJournal, readRun } from '../track/index.js';
import { forecastDepth } from './build.js';
import { parseRecipe } from './parse.js';
import { prepareRecipe } from './prepare.js';
import { runRecipe } from './run.js';

const small = `name: small
model: { kind: cifar-resnet, depth: 14 }
data: { kind: textures, train: 32, validation: 10, size: 16 }
optimizer: { kind: sgd, lr: 0.05, weightDecay: 0.05 }
train: { duration: 1ep, batchSize: 16, threads: 1 }
`;
const recipe = (...overrides: string[]) => parseRecipe(small, { overrides });
const dropping = 'model={kind: cifar-resnet, depth: 14, headDrop: 0.7}';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-advice-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('advice on dropouts', () => {
  const codes = (...overrides: string[]) => forecastDepth(recipe(...overrides)).advice.map(({ code }) => code);

  test('is part of a forecast, whether or not branches are dropped', () => {
    expect(codes()).toEqual([]);
    expect(codes(dropping)).toEqual(['high-rate', 'few-units']);
    expect(codes(dropping, 'depth={kind: stochastic, drop: 0.5}')).toEqual(
      expect.arrayContaining(['high-rate', 'few-units', 'few-blocks']),
    );
  });

  test('changes nothing of the model', async () => {
    using with_ = await prepareRecipe(recipe(dropping));
    using without = await prepareRecipe(recipe());
    const weights = ({ model }: typeof without) => Object.values(model.stateDict()).map((tensor) => tensor.toBytes());
    expect(weights(with_)).toEqual(weights(without));
  });
});

test('a run tells its budget and all advice: as it starts, in its record, journal and report', async () => {
  const said: string[] = [];
  const progress = { isTTY: false, columns: 80, write: (text: string) => said.push(text) > 0 };
  const { run, advice, regularization } = await runRecipe(recipe(dropping), { folder, command: ['test'], progress });
  const told = said.join('');
  expect(told.split('\n')[0]).toBe(
    'regularization: 103.5 full measures (weight decay 0.05 in sgd, dropout 0.7); ResNet-110 with stochastic depth was published with 1.7',
  );
  expect(advice.map(({ code }) => code)).toEqual([
    'budget-above-published',
    'budget-for-short-training',
    'decay-for-another-optimizer',
    'high-rate',
    'few-units',
  ]);
  const warnings = advice.flatMap(({ severity, message }) => (severity === 'warning' ? [message] : []));
  expect(warnings).toHaveLength(3);
  for (const message of warnings) expect(told.replace(/\s+/g, ' ')).toContain(message);
  const { lines } = await readJournal(join(run, 'journal.jsonl'));
  expect(lines.flatMap((line) => (line.kind === 'warning' ? [line.message] : []))).toEqual(warnings);
  expect((await readRun(run)).regularization).toEqual(regularization);
  const page = await readFile(join(run, 'report.html'), 'utf8');
  expect(page).toMatch(/<h2>Regularization<\/h2>/);
  expect(page).toMatch(/<th scope="row">weight decay<\/th><td>0\.05 in sgd<\/td><td>100\.00<\/td>/);
  expect(page).toMatch(/<th scope="row">sum<\/th><td><\/td><td><strong>103\.50<\/strong>/);
});
