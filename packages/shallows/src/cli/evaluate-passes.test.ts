import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JSDOM } from 'jsdom';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateRun, parseRecipe, type RunEvaluation, type RunResult, runRecipe } from '../recipe/index.js';
import { type ClassificationPasses, readEvaluation, readRun } from '../track/index.js';
import { main } from './main.js';

const classifier = `name: small
model: { kind: mlp, hidden: [16], hiddenDrop: 0.4 }
data: { kind: textures, train: 200, validation: 150, size: 8 }
optimizer: { kind: adamw, lr: 0.01 }
train: { duration: 3ep, batchSize: 20, threads: 1 }
`;
const regression = `name: numbers
model: { kind: mlp, hidden: [16], hiddenDrop: 0.2 }
data: { kind: friedman, train: 100, validation: 90 }
optimizer: { kind: adamw, lr: 0.01 }
train: { duration: 10ep, batchSize: 20, threads: 1 }
`;

let folder = '';
let run: RunResult;
let plain: RunResult;
let numbers: RunResult;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-passes-'));
  const train = (name: string, recipe: string, overrides: string[] = []): Promise<RunResult> =>
    runRecipe(parseRecipe(recipe, { overrides }), { folder: join(folder, name), command: [] });
  run = await train('run', classifier);
  plain = await train('plain', classifier, ['model.hiddenDrop=0', 'train.duration=1ba']);
  numbers = await train('numbers', regression);
});
afterAll(() => rm(folder, { recursive: true }));

async function evaluate(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await main(['evaluate', ...argv], {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  });
  return { code, out, err };
}

function classified({ passes }: Pick<RunEvaluation, 'passes'>): ClassificationPasses {
  if (passes?.task !== 'classification') throw new Error('expected passes of a classifier');
  return passes;
}

describe('shallows evaluate --mc --calibrate', () => {
  test('prints, stores and draws what the passes of a classifier say', async () => {
    const { code, out, err } = await evaluate(run.run, '--mc', '6', '--mc-seed', '3', '--calibrate', '--json');
    expect([code, err]).toEqual([0, '']);
    const printed = JSON.parse(out) as RunEvaluation & { metrics: unknown };
    expect(printed.metrics).toEqual(run.metrics);
    const passes = classified(printed);
    expect(passes.rows).toBe(150);
    expect(passes.entropyHistogram.reduce((sum, { right, wrong }) => sum + right + wrong, 0)).toBe(150);
    expect(passes.rankings.map(({ count }) => count)).toEqual([150, 150, 150]);
    const wrong = passes.entropyHistogram.reduce((sum, bin) => sum + bin.wrong, 0);
    expect(passes.metrics.accuracy).toBeCloseTo(1 - wrong / 150, 12);
    expect(passes.baseline.wrong).toBe(Math.round(150 * (1 - (run.metrics?.validation.accuracy ?? 0))));
    expect(passes.predictiveEntropy.mean).toBeGreaterThan(passes.expectedEntropy.mean);
    expect(passes.mutualInformation.mean).toBeCloseTo(
      (6 / 5) * (passes.predictiveEntropy.mean - passes.expectedEntropy.mean),
      9,
    );
    expect(passes.run).toMatchObject({ split: expect.stringContaining('layers') as string });
    expect(passes.mostUncertain).toHaveLength(16);
    expect(passes.mostUncertain[0]?.picture).toMatch(/^data:image\/png;base64,/);

    // The likelihood of a prediction is its loss, and half of the rows are fitted.
    expect(printed.calibration?.map(({ name }) => name)).toEqual(['plain', 'mean of the passes']);
    expect(printed.calibration?.[0]?.nll.value).toBeCloseTo(run.metrics?.validation.loss ?? 0, 5);
    expect(printed.calibration?.[1]?.nll.value).toBeCloseTo(passes.metrics.loss, 9);
    expect(printed.calibration?.[0]?.temperature).toMatchObject({ fitted: 75, refusal: 'too few rows', other: null });

    const stored = await readEvaluation(run.run);
    expect(stored?.options).toEqual({
      ...{ passes: 6, seed: 3, calibrate: true, skip: [], exitAfter: null, pruneTo: null },
    });
    expect(stored?.passes).toEqual(printed.passes);
    expect(stored?.calibration).toEqual(printed.calibration);
    const { document } = new JSDOM(await readFile(join(run.run, 'report.html'), 'utf8')).window;
    for (const id of ['reliability', 'reliability-2', 'risk-coverage', 'entropy']) {
      expect(document.querySelector(`#${id} svg`), id).not.toBeNull();
    }
    expect(document.querySelectorAll('#uncertain img')).toHaveLength(16);
  });

  test('masks follow from the seed and the row: batches do not matter, seeds do', async () => {
    const record = await readRun(run.run);
    const at = async (seed: number, batchSize: number): Promise<ClassificationPasses> =>
      classified(await evaluateRun(run.run, record, { monteCarlo: { passes: 4, seed, batchSize } }));
    const [one, other, seeded] = [await at(1, 64), await at(1, 7), await at(2, 64)];
    expect(other.predictiveEntropy.mean).toBeCloseTo(one.predictiveEntropy.mean, 6);
    expect(other.mutualInformation.mean).toBeCloseTo(one.mutualInformation.mean, 6);
    expect(Math.abs(seeded.mutualInformation.mean - one.mutualInformation.mean)).toBeGreaterThan(1e-5);
  });

  test('as text', async () => {
    const { code, out } = await evaluate(run.run, '--mc', '4', '--calibrate');
    expect(code).toBe(0);
    expect(out).toContain('4 random passes of each of 150 rows, seed 0; all before layers');
    expect(out).toMatch(/^predictive entropy +[\d.]+ +[\d.]+/m);
    expect(out).toMatch(/^ECE, equal mass +0\.\d{4} /m);
    expect(out).toContain('temperature: none, refused on 75 rows: too few rows');
    expect(out).toContain(`stored in ${join(run.run, 'evaluation.json')}`);
  });

  test('counts the coverage of the intervals of a regression', async () => {
    const { code, out } = await evaluate(numbers.run, '--mc', '5', '--json');
    expect(code).toBe(0);
    const { passes } = JSON.parse(out) as RunEvaluation;
    if (passes?.task !== 'regression') throw new Error('expected passes of a regression');
    expect(passes.noise).toBe(numbers.metrics?.train.loss);
    const [alone, noisy] = ['passes', 'passes and noise'].map((name) =>
      passes.coverage.filter(({ from }) => from === name),
    );
    expect(alone?.map(({ level }) => level)).toEqual([0.5, 0.8, 0.9, 0.95]);
    for (const [i, { width, coverage }] of (noisy ?? []).entries()) {
      expect(width).toBeGreaterThan(alone?.[i]?.width ?? 0);
      expect(coverage).toBeGreaterThanOrEqual(alone?.[i]?.coverage ?? 1);
    }
    const report = await readFile(join(numbers.run, 'report.html'), 'utf8');
    expect(report).toContain('Coverage of intervals');
    expect((await evaluate(numbers.run, '--mc', '3')).out).toMatch(/^90 % by passes and noise +\d/m);
  });

  test.each<[() => string, readonly string[], string]>([
    [() => run.run, ['--mc', '1'], 'expected a whole number of passes from 2, got "1"'],
    [() => run.run, ['--mc-seed', '1'], 'evaluate: expected --mc-seed with --mc, got it alone - add --mc 30'],
    [() => plain.run, ['--mc', '3'], 'monteCarlo: expected a model with something random in it, got one without'],
    [() => numbers.run, ['--calibrate'], 'expected a classifier to calibrate, got a regression run'],
    [() => run.run, ['--mc', '3', '--exit-after', '0'], 'expected random passes of the whole network'],
  ])('%# exits with 2', async (of, flags, message) => {
    const { code, out, err } = await evaluate(of(), ...flags);
    expect(err).toContain(message);
    expect([code, out]).toEqual([2, '']);
  });

  test('what was stored of other weights is not shown, and a broken file is named', async () => {
    expect(await readEvaluation(plain.run)).toBeNull();
    expect(await readEvaluation(numbers.run)).not.toBeNull();
    await appendFile(join(numbers.run, 'model.safetensors'), 'x');
    expect(await readEvaluation(numbers.run)).toBeNull();
    await writeFile(join(plain.run, 'evaluation.json'), '{');
    await expect(readEvaluation(plain.run)).rejects.toThrow('expected JSON, got a broken file');
    await writeFile(join(plain.run, 'evaluation.json'), '{"schema": 1, "time": "now"}');
    await expect(readEvaluation(plain.run)).rejects.toThrow(/time: expected a time .* - run shallows evaluate again/);
  });
});
