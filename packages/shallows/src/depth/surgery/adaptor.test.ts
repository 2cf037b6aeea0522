import { ones, randn, scope, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { adaptPlain, PlainBlock, PlainNet } from '../../../../../tests/support/plain-blocks.js';
import { evaluation, Linear, Module, type Pass, Sequential, trainingPass } from '../../nn/index.js';
import { deriveKey, rootKey } from '../../random/index.js';
import { fixedPlan } from '../plan/plan.js';
import { withPlan } from '../plan/planned-pass.js';
import { findSites } from '../policy/find-sites.js';
import { DepthLedger } from '../proof/ledger.js';
import { adaptResidual } from './adaptor.js';
import { type AppliedDepth, applyStochasticDepth } from './surgery.js';

const key = rootKey(4);
const values = (x: Tensor | null): number[] | null => x && Array.from(x.toArray(), Number);

const ratesOf = ({ sites }: AppliedDepth): [string, number][] => sites.map(({ name, drop }) => [name, drop]);
const picture = scope(() => randn([4, 3, 5, 5]));

beforeAll(adaptPlain);

describe('on blocks with an adaptor', () => {
  test('evaluation is the same bit for bit; keys, weights and sharing stay', () => {
    scope(() => {
      const model = new PlainNet();
      const before = values(model.forward(picture));
      const [state, modules] = [model.stateDict(), [...model.namedModules()]];
      const applied = applyStochasticDepth(model, { dropRate: 0.5, example: picture });
      expect(applied.adapted).toEqual(['last', 'middle', 'first']);
      expect(values(model.forward(picture))).toEqual(before);
      const after = model.stateDict();
      expect(Object.keys(after)).toEqual(Object.keys(state));
      for (const [name, tensor] of Object.entries(state)) expect(after[name]).toBe(tensor);
      expect([...model.namedModules()]).toEqual(modules);
      expect(Object.keys(model.first)).not.toContain('forward');
      applied.undo();
      expect(values(model.forward(picture))).toEqual(before);
      expect(Object.hasOwn(model.first, 'forward')).toBe(false);
      expect('site' in model.first).toBe(false);
    });
  });

  test('sites count in the order in which they run with an example, in that of fields without', () => {
    const expected = (names: string[]): [string, number][] => names.map((name, i) => [name, 0.3 * ((i + 1) / 3)]);
    const traced = applyStochasticDepth(new PlainNet(), { dropRate: 0.3, example: picture });
    expect(ratesOf(traced)).toEqual(expected(['first', 'middle', 'last']));
    expect(traced.sites.map(({ layer }) => layer)).toEqual([0, 1, 2]);
    expect(ratesOf(applyStochasticDepth(new PlainNet(), { dropRate: 0.3 }))).toEqual(
      expected(['last', 'middle', 'first']),
    );
    const model = new PlainNet();
    const run = (pass: Pass): Tensor => model.forward(picture, pass);
    applyStochasticDepth(model, { dropRate: 0.3 });
    expect(ratesOf(applyStochasticDepth(model, { dropRate: 0.3, example: run, target: ['last', 'first'] }))).toEqual([
      ['first', 0.15],
      ['middle', 0],
      ['last', 0.3],
    ]);
  });

  test('an example also checks blocks that were adapted before, whatever scale they have by then', () => {
    const model = new PlainNet();
    const paper = applyStochasticDepth(model, { dropRate: 0.8, scale: 'paper' });
    expect(applyStochasticDepth(model, { dropRate: 0.5, example: picture }).adapted).toEqual([]);
    applyStochasticDepth(model, { dropRate: 0.5, scale: 'paper', example: picture, target: 'first' });
    expect(paper.adapted).toHaveLength(3);
    // Refused: the model is as it was.
    const scales = (): number[] => findSites(model).map(({ evaluationScale }) => evaluationScale);
    const before = scales();
    expect(before).toEqual([1, 1, 0.5]);
    const example = (pass: Pass): Tensor => model.first.forward(picture, pass);
    expect(() => applyStochasticDepth(model, { dropRate: 0.1, example })).toThrow('got 1 of 3');
    expect(scales()).toEqual(before);
  });

  test('a forward that writes into its input is compared without harm to others', () => {
    class Writing extends Module {
      readonly inner = new Linear(4, 4, { key });

      override forward(x: Tensor, _pass: Pass = evaluation): Tensor {
        return x.add_(this.inner.forward(x));
      }
    }
    adaptResidual(Writing, { kind: 'writing', branch: (block, x) => block.inner.forward(x) });
    scope(() => {
      const x = ones([2, 4]);
      applyStochasticDepth(new Sequential(new Writing()), { dropRate: 0.5, example: x });
      expect(new Set(values(x))).toEqual(new Set([1]));
    });
  });

  test('a dropped block is its shortcut: no call, no gradient, no statistics; a projection stays', () => {
    scope(() => {
      const model = new PlainNet();
      const { policy, sites } = applyStochasticDepth(model, {
        dropRate: 0.5,
        dropDistribution: 'uniform',
        example: picture,
      });
      for (const block of [model.first, model.middle, model.last]) block.calls = 0;
      const pass = withPlan(trainingPass({ key }), fixedPlan(policy, sites, ['first', 'middle']));
      model.forward(picture, pass).sum().backward();
      expect([model.first, model.middle, model.last].map(({ calls }) => calls)).toEqual([0, 0, 1]);
      expect(model.first.conv.weight.grad).toBeNull();
      expect(model.middle.conv.weight.grad).toBeNull();
      expect(model.middle.projection?.weight.grad).not.toBeNull();
      expect(model.last.conv.weight.grad).not.toBeNull();
      expect(values(model.first.norm.runningMean)).toEqual([0, 0, 0]);
      expect(new DepthLedger().record(pass)).toEqual({ active: 1, sites: 3 });
    });
  });

  test('rate 0 trains as the plain block does, bit for bit', () => {
    scope(() => {
      const [plain, adapted] = [new PlainNet(), new PlainNet()];
      applyStochasticDepth(adapted, { dropRate: 0 });
      const step = (model: PlainNet): unknown => {
        const y = model.forward(picture, trainingPass());
        y.sum().backward();
        return [values(y), Array.from(model.namedParameters(), ([name, { grad }]) => [name, values(grad)])];
      };
      expect(step(adapted)).toEqual(step(plain));
    });
  });

  test('method sample: the branch runs on the kept rows', () => {
    scope(() => {
      const model = new PlainNet();
      const { policy, sites } = applyStochasticDepth(model, { method: 'sample', dropRate: 0.5, example: picture });
      expect(policy).toMatchObject({ unit: 'row', execution: 'subset', rows: 'random' });
      const rows = { first: { of: 4, index: [1, 3] } };
      const pass = withPlan(trainingPass({ key }), fixedPlan(policy, sites, [], rows));
      const y = values(model.first.forward(picture, pass)) ?? [];
      const plain = values(picture.relu()) ?? [];
      const dropped = [0, 1, 2, 3].filter(
        (row) => y.slice(75 * row, 75 * row + 75).join() === plain.slice(75 * row, 75 * row + 75).join(),
      );
      expect(dropped).toEqual([0, 2]);
    });
  });

  test('only targeted blocks are touched', () => {
    const model = new PlainNet();
    const { adapted, sites } = applyStochasticDepth(model, { target: 'last', dropRate: 0.4 });
    expect(adapted).toEqual(['last']);
    expect(sites.map(({ name, drop }) => [name, drop])).toEqual([['last', 0.4]]);
    expect(Object.hasOwn(model.first, 'forward')).toBe(false);
    const more = applyStochasticDepth(model, { dropRate: 0.4, example: picture });
    expect(more.adapted).toEqual(['middle', 'first']);
    more.undo();
    expect(Object.hasOwn(model.first, 'forward')).toBe(false);
    expect(Object.hasOwn(model.last, 'forward')).toBe(true);
  });

  test('a shared block is adapted once and counts once', () => {
    class Shared extends Module {
      readonly one = new PlainBlock(3, 3, key);
      readonly again = this.one;
      readonly other = new PlainBlock(3, 3, key);

      override forward(x: Tensor, pass: Pass = evaluation): Tensor {
        return this.again.forward(this.other.forward(this.one.forward(x, pass), pass), pass);
      }
    }
    const model = new Shared();
    const keys = Object.keys(model.stateDict());
    const applied = applyStochasticDepth(model, { dropRate: 0.4, example: picture });
    expect(ratesOf(applied)).toEqual([
      ['one', 0.2],
      ['other', 0.4],
    ]);
    expect(applied.adapted).toEqual(['one', 'other']);
    expect(model.again).toBe(model.one);
    expect(Object.keys(model.stateDict())).toEqual(keys);
  });

  test('several units of one block, extras that go with the rows, and a forward without a pass', () => {
    class Encoder extends Module<readonly [x: Tensor, mask?: Tensor | null]> {
      readonly mixing = new Linear(4, 4, { key });
      readonly mlp = new Linear(4, 4, { key: deriveKey(key, 'mlp') });

      override forward(x: Tensor, mask: Tensor | null = null, _pass: Pass = evaluation): Tensor {
        const mixed = this.mixing.forward(x);
        const y = x.add(mask === null ? mixed : mixed.mul(mask));
        return y.add(this.mlp.forward(y));
      }
    }
    class Pair extends Module<readonly [x: Tensor, mask?: Tensor | null]> {
      readonly blocks = [new Encoder(), new Encoder()];

      override forward(x: Tensor, mask: Tensor | null = null, pass: Pass = evaluation): Tensor {
        return this.blocks.reduce((y, block) => block.forward(y, mask, pass), x);
      }
    }
    const seen: (readonly number[])[] = [];
    adaptResidual(
      Encoder,
      {
        kind: 'mixing',
        branch: (block, x, _pass, [mask = null]) => {
          seen.push([x.shape[0] ?? 0, mask?.shape[0] ?? 0]);
          return mask === null ? block.mixing.forward(x) : block.mixing.forward(x).mul(mask);
        },
      },
      { kind: 'mlp', branch: (block, x) => block.mlp.forward(x) },
    );
    scope(() => {
      const model = new Pair();
      const mask = randn([6, 1]);
      const x = randn([6, 4]);
      const before = values(model.forward(x, mask));
      const { policy, sites } = applyStochasticDepth(model, {
        ...{ method: 'sample', dropRate: 0.4, target: 'Encoder' },
        example: (pass) => model.forward(x, mask, pass),
      });
      // Both units of a block are one layer; a field that is there keeps its name.
      expect(sites.map(({ name, kind, drop, layer }) => [name, kind, drop, layer])).toEqual([
        ['blocks.0.mixingSite', 'mixing', 0.2, 0],
        ['blocks.0.mlpSite', 'mlp', 0.2, 0],
        ['blocks.1.mixingSite', 'mixing', 0.4, 1],
        ['blocks.1.mlpSite', 'mlp', 0.4, 1],
      ]);
      expect(Object.keys(model.stateDict())).toHaveLength(8);
      expect(values(model.forward(x, mask))).toEqual(before);
      expect(model.blocks[0]?.forward(x).shape).toEqual([6, 4]);
      const rows = { 'blocks.0.mixingSite': { of: 6, index: [0, 2, 5] } };
      seen.length = 0;
      model.forward(x, mask, withPlan(trainingPass({ key }), fixedPlan(policy, sites, [], rows)));
      expect(seen).toEqual([
        [3, 3],
        [6, 6],
      ]);
      expect(() => Reflect.apply(model.blocks[0]?.forward ?? (() => 0), null, [x, 'mask'])).toThrow(
        'expected tensors and a pass in the forward of Encoder, got "mask"',
      );
    });
  });
});
