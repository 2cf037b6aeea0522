import { describe, expect, test } from 'vitest';
import { applyPolicy } from './apply-policy.js';
import { findSites } from './find-sites.js';
import { Policy } from './policy.js';
import { type ResidualBlock, Site } from './site.js';

const tree = (modules: Record<string, object>): { namedModules(): Iterable<readonly [string, object]> } => ({
  namedModules: () => Object.entries(modules),
});
const block = (kind: string): ResidualBlock => ({ site: new Site(kind), branch: (x) => x, shortcut: (x) => x });
const namesOf = (modules: Record<string, object>): string[] => findSites(tree(modules)).map((site) => site.name);

describe('findSites', () => {
  test('a module that is a block has its path', () => {
    const first = { site: new Site('basic') };
    const second = { site: new Site('basic') };
    const modules = { '': { stem: {} }, stem: {}, 'layer1.0': first, 'layer1.1': second, head: {} };
    expect(findSites(tree(modules))).toEqual([first.site, second.site]);
    expect(first.site.name).toBe('layer1.0');
    expect(second.site.name).toBe('layer1.1');
  });

  test('a module with several blocks has path and field, in the order of its fields', () => {
    const encoder = { norm: {}, attention: block('attention'), mlp: block('mlp') };
    expect(namesOf({ '': {}, 'blocks.0': encoder, 'blocks.0.norm': encoder.norm })).toEqual([
      'blocks.0.attention',
      'blocks.0.mlp',
    ]);
    expect(namesOf({ '': {}, b: { residuals: [block('a'), block('b')] } })).toEqual(['b.residuals.0', 'b.residuals.1']);
    expect(namesOf({ '': {}, b: { first: new Site('a'), second: new Site('b') } })).toEqual(['b.first', 'b.second']);
  });

  test('at the root: the kind, or the field', () => {
    expect(namesOf({ '': { site: new Site('basic') } })).toEqual(['basic']);
    expect(namesOf({ '': { attention: block('x'), mlp: block('y') } })).toEqual(['attention', 'mlp']);
  });

  test('a child that is a block counts once, under its own path', () => {
    const child = { site: new Site('basic') };
    const list = [child];
    expect(namesOf({ '': { child, list }, child })).toEqual(['child']);
    expect(namesOf({ '': {}, a: child, b: child })).toEqual(['a']);
  });

  test('names that are empty or would meet are errors', () => {
    expect(() => namesOf({ '': { site: new Site('') } })).toThrow('expected a name for each site');
    expect(() => namesOf({ '': {}, a: { b: block('x') }, 'a.b': { site: new Site('y') } })).toThrow("got 'a.b' twice");
  });

  test('a model without sites has none', () => {
    expect(namesOf({ '': { weight: new Float32Array(3), list: [1, null, 'x'], nothing: null } })).toEqual([]);
  });
});

describe('applyPolicy', () => {
  const sites = (): { readonly model: ReturnType<typeof tree>; readonly all: readonly Site[] } => {
    const all = [1, 2, 3, 4].map(() => new Site('basic'));
    return { model: tree(Object.fromEntries(all.map((site, i) => [`block.${i}`, { site }]))), all };
  };

  test('inverted: rates are set, evaluation is plain', () => {
    const { model, all } = sites();
    const rated = applyPolicy(model, Policy({ drop: 0.5 }));
    expect(rated.map(({ name, drop }) => [name, drop])).toEqual(all.map((_, i) => [`block.${i}`, (i + 1) / 8]));
    expect(all.map((site) => site.drop)).toEqual([0.125, 0.25, 0.375, 0.5]);
    expect(all.every((site) => site.evaluationScale === 1)).toBe(true);
    expect(JSON.parse(JSON.stringify(rated))).toEqual(rated);
  });

  test('paper: a branch counts by its keep probability; another policy replaces it', () => {
    const { model, all } = sites();
    applyPolicy(model, Policy({ drop: 0.5, scale: 'paper' }));
    expect(all.map((site) => site.evaluationScale)).toEqual([0.875, 0.75, 0.625, 0.5]);
    applyPolicy(all, Policy({ drop: 0.2, schedule: 'uniform' }));
    expect(all.map((site) => [site.drop, site.evaluationScale])).toEqual(all.map(() => [0.2, 1]));
    applyPolicy(all, Policy({ drop: 0 }));
    expect(all.map((site) => site.drop)).toEqual([0, 0, 0, 0]);
  });

  test('a refused policy leaves the rates as they were', () => {
    const { model, all } = sites();
    applyPolicy(model, Policy({ drop: 0.5 }));
    expect(() => applyPolicy(model, Policy({ schedule: 'list', rates: [0.1] }))).toThrow('one rate a layer, 4, got 1');
    expect(all.map((site) => site.drop)).toEqual([0.125, 0.25, 0.375, 0.5]);
  });

  test('a rate for a model without sites is an error, no rate is not', () => {
    expect(() => applyPolicy(tree({ '': {} }), Policy({ drop: 0.1 }))).toThrow('got a model without sites');
    expect(applyPolicy(tree({ '': {} }), Policy({ drop: 0 }))).toEqual([]);
  });
});
