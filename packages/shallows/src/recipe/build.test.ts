import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildModel, forecastDepth } from './build.js';
import { parseRecipe } from './parse.js';
import type { Recipe } from './schema.js';
import { buildOptimizer, buildSchedule } from './training-parts.js';

const paper = readFileSync(new URL('../../../../recipes/resnet110-cifar10.yaml', import.meta.url), 'utf8');
const recipe = (...overrides: string[]): Recipe => parseRecipe(paper, { overrides });

describe('forecastDepth', () => {
  test('of the paper: 54 blocks, 40.25 active', () => {
    const { sites, expectedActive, workSavedIdeal, flops, parameters } = forecastDepth(recipe());
    expect(sites).toHaveLength(54);
    expect(sites.map((site) => site.requested)).toEqual(Array.from({ length: 54 }, (_, i) => 0.5 * ((i + 1) / 54)));
    expect(sites[0]?.name).toBe('layer1.0');
    expect(sites[53]?.name).toBe('layer3.17');
    expect(expectedActive).toBe(40.25);
    expect(parameters).toBe(1_727_962);
    // Two 3×3 convolutions of 16 channels on 32×32 pixels, two FLOPs a multiply-add; every stage costs the same a block.
    expect(sites[1]?.flops).toBe(2 * 2 * 9 * 16 * 16 * 32 * 32);
    const branches = sites.reduce((sum, site) => sum + site.flops, 0);
    const outside = 2 * 9 * 3 * 16 * 32 * 32 + 2 * 64 * 10;
    expect(flops.full).toBe(branches + outside);
    const saved = sites.reduce((sum, site) => sum + site.requested * site.flops, 0) / flops.full;
    expect(workSavedIdeal).toBeCloseTo(saved, 12);
    expect(flops.expected).toBe(Math.round(flops.full * (1 - saved)));
  });

  test('without a policy: nothing is dropped', () => {
    const { sites, expectedActive, workSavedIdeal } = forecastDepth(recipe('depth.kind=none', 'model.depth=20'));
    expect(sites).toHaveLength(9);
    expect(new Set(sites.map((site) => site.requested))).toEqual(new Set([0]));
    expect([expectedActive, workSavedIdeal]).toEqual([9, 0]);
  });

  test('of what is computed and then left out: nothing is saved', () => {
    const depth = 'depth={kind: stochastic, drop: 0.5, execution: mask}';
    const { expectedActive, workSavedIdeal, flops, advice } = forecastDepth(recipe('model.depth=20', depth));
    expect([expectedActive, workSavedIdeal]).toEqual([6.5, 0]);
    expect(flops.expected).toBe(flops.full);
    expect(advice.map(({ code }) => code)).toContain('mask-saves-nothing');
  });

  test('of a list of rates', () => {
    const rates = [0, 0.1, 0.2];
    const { sites } = forecastDepth(
      recipe('model.depth=8', `depth={kind: stochastic, schedule: list, rates: [${rates.join(', ')}]}`),
    );
    expect(sites.map((site) => site.requested)).toEqual(rates);
  });
});

describe('what a recipe builds', () => {
  test('has weights that follow from the seed', () => {
    const first = (seed: number): unknown => {
      using model = buildModel(recipe('model.depth=8', `seed=${String(seed)}`)).model;
      return model.parameters()[0]?.toArray();
    };
    expect(first(3)).toEqual(first(3));
    expect(first(3)).not.toEqual(first(4));
  });

  test('has the optimizer of the recipe', () => {
    using model = buildModel(recipe('model.depth=8')).model;
    const { groups } = buildOptimizer(recipe(), model);
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({ lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4, dampening: 0 });
    expect(groups[0]?.params).toHaveLength(model.parameters().length);
  });

  const timeline = { batchesPerEpoch: 391, batchSize: 128, samplesPerEpoch: 50_000, duration: 500 * 391 };

  test.each<[string, string[], [number, number][]]>([
    [
      'multi-step',
      [],
      [
        [0, 1],
        [97_749, 1],
        [97_750, 0.1],
        [146_624, 0.1],
        [146_625, 0.01],
        [195_499, 0.01],
      ],
    ],
    [
      'constant',
      ['schedule.kind=constant'],
      [
        [0, 1],
        [195_499, 1],
      ],
    ],
    [
      'cosine',
      ['schedule={kind: cosine, warmup: 10ep}'],
      [
        [0, 0],
        [1955, 0.5],
        [3910, 1],
        [3910 + 95_795, 0.5],
        [195_500, 0],
      ],
    ],
    [
      'one-cycle',
      ['schedule.kind=one-cycle'],
      [
        [0, 0.04],
        [58_649, 1],
        [195_499, 0.04e-4],
      ],
    ],
  ])('has the schedule %s', (_, overrides, points) => {
    const schedule = buildSchedule(recipe(...overrides), timeline);
    for (const [step, factor] of points) expect(schedule(step)).toBeCloseTo(factor, 9);
  });

  test('keeps a step of decay however long the warmup', () => {
    const schedule = buildSchedule(recipe('schedule={kind: cosine, warmup: 1e9ba}'), timeline);
    expect(schedule(195_499)).toBeGreaterThan(0);
  });
});
