import {
  fromTypedArray,
  noGrad,
  randn,
  scope,
  setNumThreads,
  stats,
  type Tensor,
  tensor,
  trace,
} from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  applyPolicy,
  drawPlan,
  findSites,
  fixedPlan,
  measureWork,
  Policy,
  type PolicyOptions,
  placesOf,
  type Rows,
  withPlan,
} from '../depth/index.js';
import { type Module, type Pass, SGD, trainingPass } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { residualMlp, swin, transformerDecoder, transformerEncoder, vit } from './index.js';

const key = rootKey(3);
const text = { vocabulary: 9, length: 6, dim: 8, depth: 3, heads: 2, key } as const;
const encoder = { ...text, classes: 3, padding: 0 } as const;
const pictures = (): Tensor => randn([4, 3, 8, 8]);
// Texts of other lengths, so that a mask of another row shows.
const texts = (): Tensor =>
  tensor([1n, 2n, 3n, 4n, 5n, 6n, 7n, 0n, 0n, 0n, 8n, 1n, 2n, 3n, 0n, 5n, 4n, 3n, 2n, 0n], { shape: [4, 5] });

interface Case {
  readonly name: string;
  readonly make: () => Module;
  readonly input: () => Tensor;
  /** Sites of a layer, and layers. */
  readonly sites: readonly [perLayer: number, layers: number];
}

const cases: readonly Case[] = [
  {
    name: 'vit',
    make: () => vit({ size: 'ti', patch: 4, image: 8, dim: 12, depth: 3, heads: 3, classes: 3, layerScale: 0.5, key }),
    input: pictures,
    sites: [2, 3],
  },
  {
    name: 'swin',
    make: () => swin({ size: 't', patch: 1, window: 3, dim: 4, depths: [2, 1], heads: [2, 2], classes: 3, key }),
    input: pictures,
    sites: [2, 3],
  },
  { name: 'encoder, pre-norm', make: () => transformerEncoder(encoder), input: texts, sites: [2, 3] },
  {
    name: 'encoder, post-norm',
    make: () => transformerEncoder({ ...encoder, norm: 'post' }),
    input: texts,
    sites: [2, 3],
  },
  { name: 'decoder', make: () => transformerDecoder(text), input: texts, sites: [2, 3] },
  {
    name: 'residual mlp',
    make: () => residualMlp({ inputs: 6, outputs: 2, width: 8, blocks: 3, key }),
    input: () => randn([4, 6]),
    sites: [1, 3],
  },
];

const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);

/** The plan's pass: sites that are dropped for all rows, and sites that keep some. */
function planned(
  model: Module,
  dropped: readonly string[],
  rows: Readonly<Record<string, Rows>> = {},
  options: PolicyOptions = {},
): Pass {
  const policy = Policy({ drop: 0.5, schedule: 'uniform', ...options });
  return withPlan(trainingPass(), fixedPlan(policy, applyPolicy(model, policy), dropped, rows));
}

/** The model with weights that are large enough to show what a branch does. */
function loud(model: Module): Module {
  noGrad(() => {
    for (const [name, parameter] of model.namedParameters())
      if (/weight$/.test(name) && parameter.ndim === 2) parameter.mul_(20);
  });
  return model;
}

beforeAll(() => setNumThreads(1));

describe.each(cases)('$name', ({ make, input, sites: [perLayer, layers] }) => {
  test('has its sites in forward order, those of a block in one layer', () => {
    using model = make();
    const sites = findSites(model);
    expect(placesOf(sites).map(({ layer }) => layer)).toEqual(
      Array.from({ length: perLayer * layers }, (_, i) => Math.floor(i / perLayer)),
    );
    if (perLayer === 2) {
      for (const [i, { name, kind }] of sites.entries()) {
        expect([name.split('.').at(-1), kind]).toEqual(
          i % 2 === 0 ? ['attention', 'attention'] : ['feedforward', 'mlp'],
        );
      }
    }
    using x = input();
    const order: string[] = [];
    const work = measureWork((pass) => model.forward(x, pass));
    order.push(...Object.keys(work.branchFlops));
    expect(order).toEqual(sites.map(({ name }) => name));
    expect(Object.values(work.branchFlops).every((flops) => flops > 0)).toBe(true);
  });

  test('evaluation under a policy is the plain network, operator by operator; training with drop 0 bit by bit', () => {
    scope(() => {
      const [model, plain] = [make(), make()];
      const x = input();
      const expected = trace(() => plain.forward(x));
      applyPolicy(model, Policy({ drop: 0.5 }));
      const got = trace(() => model.forward(x));
      expect(got.calls).toEqual(expected.calls);
      expect(numbers(got.result)).toEqual(numbers(expected.result));
      expect(numbers(model.forward(x, planned(model, [], {}, { drop: 0 })))).toEqual(numbers(expected.result));
    });
  });

  test('dropped branches are as if they were nothing: no operators, no gradients', () => {
    scope(() => {
      const [model, silent] = [loud(make()), loud(make())];
      const x = input();
      const names = findSites(model).map(({ name }) => name);
      const dropped = names.filter((_, i) => i % 3 !== 1);
      // The last layer of a branch at 0 makes a branch of 0.
      const last = (name: string): string[] => {
        const block = name.replace(/\.(attention|feedforward)$/, '');
        return name.endsWith('attention') ? [`${block}.attn.proj`] : [`${block}.mlp.fc2`, `${block}.mlp.3`];
      };
      noGrad(() => {
        const parameters = new Map(silent.namedParameters());
        for (const each of dropped.flatMap(last).flatMap((layer) => [`${layer}.weight`, `${layer}.bias`])) {
          parameters.get(each)?.zero_();
        }
      });
      const pass = planned(model, dropped, {}, { scale: 'paper' });
      const { result, calls } = trace(() => model.forward(x, pass));
      expect(result).toBeAllclose(silent.forward(x), { rtol: 1e-4, atol: 1e-5 });
      expect(result).not.toBeAllclose(make().forward(x), { rtol: 1e-2 });
      const linears = (list: typeof calls): number => list.filter(({ op }) => op === 'shallows::linear').length;
      expect(linears(trace(() => silent.forward(x)).calls) - linears(calls)).toBe(2 * dropped.length);
      result.sum().backward();
      const inside = (name: string): boolean => dropped.flatMap(last).some((layer) => name === `${layer}.weight`);
      const gradless = [...model.namedParameters()].filter(([, { grad }]) => grad === null).map(([name]) => name);
      expect(gradless.filter(inside)).toHaveLength(dropped.length);
      for (const name of gradless) {
        expect(
          dropped.some((site) => name.startsWith(site.replace(/\.(attention|feedforward)$/, '.'))),
          name,
        ).toBe(true);
      }
    });
  });

  test.each([
    ['window', { of: 4, start: 1, length: 2 }, [1, 2]],
    ['list', { of: 4, index: [0, 3] }, [0, 3]],
  ] as const)('dropping rows (%s) is dropping the branch for each of them alone, masks included', (_, rows, kept) => {
    scope(() => {
      const model = loud(make());
      const x = input();
      const names = findSites(model).map(({ name }) => name);
      const partly = names.filter((_, i) => i % 2 === 0 || i === 1);
      const options = { unit: 'row', rows: 'random' } as const;
      const pass = planned(model, [], Object.fromEntries(partly.map((name) => [name, rows])), options);
      const y = model.forward(x, pass);
      const alone = [0, 1, 2, 3].map((row) => {
        const keeps = (kept as readonly number[]).includes(row);
        return model.forward(x.narrow(0, row, 1), planned(model, keeps ? [] : partly));
      });
      for (const [row, wanted] of alone.entries()) {
        expect(y.narrow(0, row, 1), `row ${row}`).toBeAllclose(wanted, { rtol: 1e-3, atol: 1e-4 });
      }
    });
  });

  test('with everything dropped is finite, and learns what is outside of the branches', () => {
    scope(() => {
      const model = make();
      const y = model.forward(
        input(),
        planned(
          model,
          findSites(model).map(({ name }) => name),
        ),
      );
      expect(numbers(y).every(Number.isFinite)).toBe(true);
      y.pow(2).sum().backward();
      const learnt = [...model.namedParameters()].filter(([, { grad }]) => grad !== null).map(([name]) => name);
      expect(learnt.some((name) => /attn|mlp|ls\d/.test(name))).toBe(false);
      expect(learnt.length).toBeGreaterThan(2);
    });
  });

  test('thirty steps of training leave no tensor behind', () => {
    scope(() => {
      const model = make();
      const x = input();
      const policy = Policy({ drop: 0.5, unit: 'row', rows: 'random' });
      const sites = applyPolicy(model, policy);
      const sgd = new SGD(model.parameters(), { lr: 0.01 });
      let live = 0;
      for (let step = 0; step < 30; step++) {
        const pass = withPlan(trainingPass(), drawPlan(policy, sites, { key, step, rows: 4 }));
        scope(() => {
          sgd.zeroGrad();
          model.forward(x, pass).pow(2).mean().backward();
          sgd.step();
        });
        if (step === 4) live = stats().liveTensors;
      }
      expect(stats().liveTensors).toBe(live);
      sgd.dispose();
    });
  });
});

test('post-norm: a block whose branches are dropped still normalises', () => {
  scope(() => {
    const model = transformerEncoder({ ...text, classes: null, norm: 'post' });
    const x = fromTypedArray(BigInt64Array.of(1n, 2n, 3n), [1, 3]);
    const y = model.forward(
      x,
      planned(
        model,
        findSites(model).map(({ name }) => name),
      ),
    );
    const [mean, variance] = [y.mean([2]), y.pow(2).mean([2])];
    expect(mean).toBeAllclose([0, 0, 0], { atol: 1e-5 });
    expect(variance).toBeAllclose([1, 1, 1], { rtol: 1e-4 });
    // The embedding is not: its vectors are a fiftieth as long.
    expect(model.embed.forward(x).pow(2).mean([2])).not.toBeAllclose([1, 1, 1], { rtol: 0.5 });
  });
});
