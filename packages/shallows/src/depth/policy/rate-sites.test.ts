import { describe, expect, test } from 'vitest';
import { Policy } from './policy.js';
import { placesOf, rateSites, type SitePlace } from './rate-sites.js';
import { Site } from './site.js';

const named = (name: string, site: Site): Site => {
  site.name = name;
  return site;
};

/** Blocks of two sites, as a transformer has them. */
function transformer(blocks: number): readonly SitePlace[] {
  return placesOf(
    Array.from({ length: blocks }, (_, i) => {
      const attention = named(`blocks.${i}.attention`, new Site('attention'));
      return [attention, named(`blocks.${i}.mlp`, new Site('mlp', { beside: attention }))];
    }).flat(),
  );
}

const rates = (policy: Policy, places: readonly (string | SitePlace)[]): number[] =>
  rateSites(policy, places).map(({ drop }) => drop);
const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe('layers', () => {
  test('sites of one block share a layer and its rate', () => {
    const places = transformer(3);
    expect(places.map(({ layer }) => layer)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(rates(Policy({ drop: 0.5, schedule: 'linspace' }), places)).toEqual([0, 0, 0.25, 0.25, 0.5, 0.5]);
    expect(rates(Policy({ schedule: 'list', rates: [0.1, 0.2, 0.3] }), places)).toEqual([0.1, 0.1, 0.2, 0.2, 0.3, 0.3]);
  });

  test('kinds have rates of their own', () => {
    const places = transformer(2);
    const policy = Policy({ kinds: { attention: 0.1, mlp: 0.4 } });
    expect(policy.drop).toBe(0.4);
    expect(rates(policy, places)).toEqual([0.05, 0.2, 0.1, 0.4]);
    expect(rates(Policy({ drop: 0.2, kinds: { mlp: 0 }, schedule: 'uniform' }), places)).toEqual([0.2, 0, 0.2, 0]);
    expect(() => rates(Policy({ drop: 0.2, kinds: { ffn: 0.1 } }), places)).toThrow(
      "expected kinds of the model, attention, mlp, got 'ffn'",
    );
  });

  test('a block that cannot be dropped counts in the schedule and has no rate', () => {
    const sites = [0, 1, 2, 3].map((i) => named(`features.${i}`, new Site('mbconv', { droppable: i !== 1 })));
    const rated = rateSites(Policy({ drop: 0.4, schedule: 'ramp' }), placesOf(sites));
    expect(rated.map(({ name }) => name)).toEqual(['features.0', 'features.2', 'features.3']);
    expect(rated.map(({ drop }) => drop)).toEqual([0, 0.2, 0.4 * 0.75]);
  });
});

test('protected layers have rate 0, and the schedule runs over the others', () => {
  // NeMo with seven layers from layer 4 on.
  const nemo = Policy({ drop: 0.5, protect: { first: 3 } });
  expect(rates(nemo, letters)).toEqual([0, 0, 0, 0.125, 0.25, 0.375, 0.5]);
  expect(rates(Policy({ drop: 0.6, protect: { first: 1, last: 3 } }), letters)).toEqual([
    0,
    0.6 / 3,
    0.6 * (2 / 3),
    0.6,
    0,
    0,
    0,
  ]);
  expect(() => rates(Policy({ drop: 0.6, protect: { first: 4, last: 3 } }), letters)).toThrow('protect fewer');
  expect(rates(Policy({ drop: 0.6, protect: { first: 6 } }), letters).at(-1)).toBe(0.6);
});

test('a selection leaves its layers the rates they have among all', () => {
  expect(rates(Policy({ drop: 0.7, select: '::3' }), letters)).toEqual([0.7 * (1 / 7), 0, 0, 0.7 * (4 / 7), 0, 0, 0.7]);
  expect(() => rates(Policy({ drop: 0.7, select: '7' }), letters)).toThrow('select: expected an index from -7 to 6');
  expect(() => rates(Policy({ drop: 0.7, select: '9:' }), letters)).toThrow(
    "the selection '9:' leaves out every layer",
  );
});
