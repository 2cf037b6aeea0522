import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { problems, small } from '../../../../tests/support/recipes.js';
import { parseRecipe } from './parse.js';

const recipe110 = readFileSync(new URL('../../../../recipes/resnet110-cifar10.yaml', import.meta.url), 'utf8');

describe('overrides', () => {
  test('are YAML values, the later over the earlier, and make missing sections', () => {
    const overrides = [
      'train.duration=2ep',
      'train.duration=3ep',
      'data.augment.crop.padding=4',
      'data.limit={train: 7}',
      'track.path=../a b/c=d',
      'name="1"',
    ];
    const recipe = parseRecipe(small, { overrides });
    expect(recipe).toMatchObject({
      name: '1',
      data: { augment: { crop: { padding: 4 }, flip: false }, limit: { train: 7 } },
      train: { duration: '3ep' },
      track: { path: '../a b/c=d' },
    });
  });

  test('of a kind leave out what only the old kind has', () => {
    const recipe = parseRecipe(recipe110, {
      overrides: ['depth.kind=none', 'schedule.kind=cosine', 'data.kind=textures'],
    });
    expect(recipe.depth).toEqual({ kind: 'none' });
    expect(recipe.schedule).toEqual({ kind: 'cosine', warmup: '0ba', final: 0 });
    expect(recipe.data).toMatchObject({ kind: 'textures', augment: { crop: { padding: 4 }, flip: true } });
    expect(problems(recipe110, ['depth.kind=none', 'depth.drop=0.1'])).toBe(
      'override "depth.drop=0.1": depth.drop: expected one of the keys kind, checkpoint, got "drop" - remove it',
    );
    expect(problems(recipe110.replace('schedule: linear', 'shedule: linear'), ['depth.kind=none'])).toContain(
      'depth.shedule',
    );
  });

  test('reach into lists', () => {
    const recipe = parseRecipe(recipe110, { overrides: ['schedule.milestones.1=0.9dur'] });
    expect(recipe.schedule).toMatchObject({ milestones: ['0.5dur', '0.9dur'] });
  });

  test('that are wrong are all named', () => {
    expect(
      problems(small, [
        'train',
        '=1',
        'a..b=1',
        'train.duraton=1ep',
        'optimiser.lr=1',
        'seed.x=1',
        'model.depth=21',
        'seed=[',
        'train.duration=@',
        'name=',
        '__proto__.x=1',
        'schedule.milestones.0=1ep',
      ]),
    ).toBe(`\
override "train": expected path.to.key=value, got no = - write for example train.duration=5ep
override "=1": expected path.to.key=value, got the path "" - write for example train.duration=5ep
override "a..b=1": expected path.to.key=value, got the path "a..b" - write for example train.duration=5ep
override "train.duraton=1ep": train.duraton: expected one of the keys duration, batchSize, evaluateEvery, trainSubset, logEvery, microbatches, dropLast, threads, precision, channelsLast, deterministic, device, onNonFinite, logGradNorm, batchNorm, got "duraton" - did you mean 'duration'?
override "optimiser.lr=1": optimiser: expected one of the keys name, seed, model, data, depth, optimizer, schedule, algorithms, train, checkpoint, track, got "optimiser" - did you mean 'optimizer'?
override "seed.x=1": seed: expected a whole number of at least 0, got a section - write any whole number, all randomness of a run follows from it
override "model.depth=21": model.depth: expected a depth of 6n + 2 layers, got 21 - choose 20, 32, 44, 56, 110 or 1202
override "seed=[": seed: expected valid YAML, got a missing quote, bracket or comma - close what was opened, and quote text that holds :, # or brackets
override "train.duration=@": train.duration: expected valid YAML, got a value that starts with a special character - put the value in quotes
override "name=": name: expected a name, got an empty value - write a few letters, in quotes if they could be a number
override "__proto__.x=1": __proto__: expected one of the keys name, seed, model, data, depth, optimizer, schedule, algorithms, train, checkpoint, track, got "__proto__" - remove it
override "schedule.milestones.0=1ep": schedule.kind: expected a kind, one of constant, multi-step, cosine, polynomial, exponential, one-cycle, plateau, got nothing - write for example kind: constant`);
  });
});
