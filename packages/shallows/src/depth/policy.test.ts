import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { rateSites } from './apply-policy.js';
import { Policy, type PolicyOptions } from './policy.js';
import { PolicyError } from './policy-error.js';

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
      schedule: 'linear',
      rates: null,
      scale: 'inverted',
      unit: 'block',
      execution: 'gate',
      ranks: 'shared',
    });
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
        'expected linear or linspace or ramp or uniform or list, got "liner", did you mean \'linear\'? - use one of these words',
      scale: 'expected inverted or paper, got "" - use one of these words',
      unit: 'expected block, got "blocks", did you mean \'block\'? - use one of these words',
      execution: 'expected gate, got 7 - use one of these words',
      ranks:
        'expected shared or independent, got "independant", did you mean \'independent\'? - use one of these words',
      dropRate:
        "expected one of drop, rates, schedule, scale, unit, execution, ranks, did you mean 'drop'? - remove or rename it",
      drop: 'expected a rate in [0, 1], got NaN - give the top drop rate',
    });
  });

  test('the error is one of the library and lists a field a line', () => {
    expect(() => Policy({ drop: 2, scale: 'papr' as 'paper' })).toThrow(ShallowsError);
    expect(() => Policy({ drop: 2, scale: 'papr' as 'paper' })).toThrow(/^Policy: scale: .*\n\s+drop: expected a rate/);
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
    expect(() => rateSites(policy, ['a', 'b', 'c'])).toThrow('rates: expected one rate a site, 3, got 2');
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
