import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { PolicyError } from './error.js';
import { Policy, type PolicyOptions } from './policy.js';
import { rateSites } from './rate-sites.js';

function problemsOf(options: unknown): Record<string, string> {
  try {
    Policy(options as PolicyOptions);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return Object.fromEntries(error.problems.map(({ field, message }) => [field, message]));
  }
  return {};
}

describe('Policy', () => {
  test('has the defaults of the paper but for inverted scaling, and is frozen', () => {
    const policy = Policy({ drop: 0.5 });
    expect(policy).toEqual({
      drop: 0.5,
      kinds: null,
      schedule: 'linear',
      rates: null,
      select: null,
      protect: { first: 0, last: 0 },
      time: { kind: 'constant' },
      scale: 'inverted',
      unit: 'block',
      execution: 'gate',
      rows: null,
      count: null,
      ranks: 'shared',
      optimizer: 'frozen',
      budget: null,
    });
    expect(Policy({ drop: 0.5, unit: 'row' })).toMatchObject({
      execution: 'subset',
      rows: 'random',
      count: 'unbiased',
    });
    expect(Policy({ drop: 0.5, unit: 'row', ranks: 'sample' })).toMatchObject({ rows: 'independent', count: null });
    expect(Object.isFrozen(policy)).toBe(true);
  });

  test('a list is copied and frozen, and its largest rate is the drop', () => {
    const rates = [0, 0.3, 0.1];
    const policy = Policy({ schedule: 'list', rates });
    rates[0] = 5;
    expect(policy.rates).toEqual([0, 0.3, 0.1]);
    expect(Object.isFrozen(policy.rates)).toBe(true);
    expect(policy.drop).toBe(0.3);
  });

  test('a policy can be made from a policy', () => {
    const policy = Policy({ drop: 0.2, scale: 'paper' });
    expect(Policy({ ...policy, drop: 0.3 })).toEqual({ ...policy, drop: 0.3 });
    const listed = Policy({ schedule: 'list', rates: [0.1, 0.2] });
    expect(Policy(listed)).toEqual(listed);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0.01, 1.01, 5, '0.5', null, undefined])(
    'refuses the rate %s',
    (drop) => {
      expect(Object.keys(problemsOf({ drop }))).toEqual(['drop']);
      expect(Object.keys(problemsOf({ schedule: 'list', rates: [0.1, drop] }))).toEqual(['rates[1]']);
    },
  );

  test.each([0, 1, 0.5, 1e-300])('takes the rate %s', (drop) => {
    expect(Policy({ drop }).drop).toBe(drop);
  });

  test('names all wrong fields at once, with the word that was meant', () => {
    const problems = problemsOf({
      drop: Number.NaN,
      schedule: 'liner',
      scale: '',
      unit: 'blocks',
      execution: 7,
      ranks: 'independant',
      dropRate: 0.5,
    });
    expect(problems).toEqual({
      schedule:
        'expected linear, linspace, ramp, uniform, exp, log, sine, sigmoid or list, got "liner", did you mean \'linear\'? - use one of these words',
      scale: 'expected inverted, paper, realised or none, got "" - use one of these words',
      unit: 'expected block or row, got "blocks", did you mean \'block\'? - use one of these words',
      execution: 'expected gate, subset, mask or auto, got 7 - use one of these words',
      ranks:
        'expected shared, independent or sample, got "independant", did you mean \'independent\'? - use one of these words',
      dropRate:
        "expected one of drop, kinds, rates, select, protect, time, budget, schedule, scale, unit, execution, rows, count, ranks, optimizer, did you mean 'drop'? - remove or rename it",
      drop: 'expected a rate in [0, 1], got NaN - give the top drop rate',
    });
  });

  test('the error is one of the library and lists a field a line', () => {
    expect(() => Policy({ drop: 2, scale: 'papr' as 'paper' })).toThrow(ShallowsError);
    expect(() => Policy({ drop: 2, scale: 'papr' as 'paper' })).toThrow(/^Policy: drop: expected a rate.*\n\s+scale: /);
  });

  test.each<[PolicyOptions, string, string]>([
    [{ drop: 0.1, execution: 'subset' }, 'execution', 'expected gate, mask or auto for unit block, got "subset"'],
    [{ drop: 0.1, unit: 'row', execution: 'gate' }, 'execution', 'expected subset, mask or auto for unit row'],
    [{ drop: 0.1, rows: 'window' }, 'rows', 'expected nothing for unit block, got "window"'],
    [{ drop: 0.1, count: 'dinov2' }, 'count', 'expected nothing for unit block'],
    [{ drop: 0.1, scale: 'realised' }, 'scale', 'expected inverted, paper or none for unit block'],
    [{ drop: 0.1, ranks: 'sample' }, 'ranks', 'expected shared or independent for unit block'],
    [{ drop: 0.1, unit: 'row', ranks: 'sample', rows: 'window' }, 'rows', "expected independent for ranks 'sample'"],
    [
      { drop: 0.1, unit: 'row', rows: 'independent', count: 'dinov2' },
      'count',
      'expected nothing for independent rows',
    ],
    [{ drop: 0.1, unit: 'row', count: 'dinov2' }, 'scale', 'expected realised, paper or none beside count dinov2'],
    [{ drop: 0.1, unit: 'row', rows: 'neighbours' as 'window' }, 'rows', 'expected random, window or independent'],
    [{ drop: 0.1, budget: 1.5 }, 'budget', 'expected a whole number of sites, or null, got 1.5'],
    [{ drop: 0.1, budget: 1, unit: 'row' }, 'budget', 'expected null for unit row'],
    [
      { drop: 0.1, budget: 1, time: { kind: 'late', start: '1ep' } },
      'budget',
      'expected null beside a schedule over time',
    ],
    [{ drop: 0.1, select: '1;2' }, 'select', "expected slices such as '4'"],
    [{ drop: 0.1, protect: { first: -1 } }, 'protect.first', 'expected a whole number of layers, got -1'],
    [{ drop: 0.1, kinds: {} }, 'kinds', 'expected rates by kind'],
    [{ kinds: { mlp: 2 } }, 'kinds.mlp', 'expected a rate in [0, 1], got 2'],
    [{ drop: 0.1, time: { kind: 'warmup', length: '1x' } }, 'time.length', 'expected a number and a unit, got "1x"'],
    [{ drop: 0.1, time: { kind: 'warm' } as never }, 'time.kind', 'expected constant, warmup, early'],
    [{ drop: 0.1, time: { kind: 'exponential', gamma: 0 } }, 'time.gamma', 'expected a rate a batch above 0, got 0'],
    [{ drop: 0.1, time: { kind: 'decay', to: 2 } }, 'time.to', 'expected a factor in [0, 1], got 2'],
    [
      { drop: 0.1, time: { kind: 'late', start: '1ep', length: '2ep' } as never },
      'time.length',
      'expected kind, start',
    ],
    [{ drop: 0.1, time: { kind: 'piecewise', points: [] } }, 'time.points', 'expected [time, factor] pairs'],
  ])('refuses %o', (options, field, message) => {
    const problems = problemsOf(options);
    expect(Object.keys(problems)).toEqual([field]);
    expect(problems[field]).toContain(message);
  });

  test.each([undefined, null, 3, 'linear'])('refuses %s in the place of options', (options) => {
    expect(Object.keys(problemsOf(options))).toEqual(['options']);
  });

  test('a list and a formula exclude each other', () => {
    expect(Object.keys(problemsOf({ schedule: 'list' }))).toEqual(['rates']);
    expect(Object.keys(problemsOf({ schedule: 'list', rates: [] }))).toEqual(['rates']);
    expect(Object.keys(problemsOf({ drop: 0.5, rates: [0.1] }))).toEqual(['rates']);
    expect(Object.keys(problemsOf({ drop: 0.5, schedule: 'list', rates: [0.1] }))).toEqual(['drop']);
  });
});

describe('rateSites', () => {
  test('a list of the wrong length', () => {
    const policy = Policy({ schedule: 'list', rates: [0.1, 0.2] });
    expect(() => rateSites(policy, ['a', 'b', 'c'])).toThrow(PolicyError);
    expect(() => rateSites(policy, ['a', 'b', 'c'])).toThrow('rates: expected one rate a layer, 3, got 2');
  });

  test('a rate that reaches nothing is an error that says why', () => {
    expect(() => rateSites(Policy({ drop: 0.5 }), [])).toThrow('got a model without sites');
    for (const schedule of ['linspace', 'ramp'] as const) {
      const policy = Policy({ drop: 0.5, schedule });
      expect(() => rateSites(policy, ['only'])).toThrow(`the schedule '${schedule}' gives the first block 0`);
      expect(rateSites(policy, ['a', 'b']).length).toBe(2);
    }
    expect(rateSites(Policy({ drop: 0 }), [])).toEqual([]);
    expect(rateSites(Policy({ drop: 0 }), ['a'])[0]?.drop).toBe(0);
  });

  test('empty and repeated names', () => {
    expect(() => rateSites(Policy({ drop: 0.5 }), ['a', ''])).toThrow('expected a name for each site');
    expect(() => rateSites(Policy({ drop: 0.5 }), ['a', 'b', 'a'])).toThrow("got 'a' twice");
  });
});
