import { noGrad, randn, scope, setNumThreads, stats, type Tensor, tensor, trace } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyPolicy, findSites, fixedPlan, Policy, withPlan } from '../depth/index.js';
import { crossEntropy, evaluation, type Module, type Pass, Sequential, trainingPass } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { convnext, createModel, efficientnet, preactResnet, resnet } from './index.js';

const key = rootKey(5);
const common = { classes: 5, key } as const;
const small = { blocks: [2, 2, 1, 1], widths: [4, 6, 8, 8], stem: 'cifar' } as const;
const large = { blocks: [1, 2, 1, 1], widths: [4, 6, 8, 8] } as const;

/** Small networks of every kind, and a block of each that can be taken out and one that changes shape. */
const networks: Record<string, { make: () => Module; inner: string; changing?: string }> = {
  'resnet, basic': { make: () => resnet({ depth: 18, ...small, ...common }), inner: 'layer1.0', changing: 'layer2.0' },
  'resnet, bottleneck': {
    make: () => resnet({ depth: 50, ...large, ...common }),
    inner: 'layer2.1',
    changing: 'layer1.0',
  },
  'resnet, groups': {
    make: () => resnet({ depth: 50, ...large, groups: 2, groupWidth: 32, ...common }),
    inner: 'layer2.1',
    changing: 'layer3.0',
  },
  'preact-resnet, basic': {
    make: () => preactResnet({ depth: 34, ...small, ...common }),
    inner: 'layer1.0',
    changing: 'layer2.0',
  },
  'preact-resnet, bottleneck': {
    make: () => preactResnet({ depth: 101, ...large, ...common }),
    inner: 'layer2.1',
    changing: 'layer1.0',
  },
  convnext: {
    make: () => convnext({ size: 'tiny', blocks: [2, 1], widths: [6, 10], layerScale: 1, ...common }),
    inner: 'features.1.0',
  },
  efficientnet: {
    make: () => efficientnet({ size: 'b0', widthFactor: 0.25, depthFactor: 0.5, headDrop: 0, ...common }),
    inner: 'features.5.1',
  },
};

const all = Object.entries(networks);
const pictures = scope(() => randn([4, 3, 32, 32]));
const targets = tensor([0n, 4n, 2n, 2n]);
const array = (x: Tensor | null): number[] | null => x && Array.from(x.toArray(), Number);

beforeAll(() => setNumThreads(1));

/** A training pass in which exactly these blocks are dropped, and the others count once. */
function dropping(model: Module, ...names: readonly string[]): Pass {
  const policy = Policy({ drop: 0.5, schedule: 'uniform', scale: 'paper' });
  return withPlan(trainingPass({ key }), fixedPlan(policy, applyPolicy(model, policy), names));
}

/** Takes a block out of its stage. */
function remove(model: Module, block: string): void {
  const [, stage, place] = /^(.*)\.(\d+)$/.exec(block) ?? [];
  const blocks = Array.from(model.namedModules()).find(([name]) => name === stage)?.[1];
  if (!(blocks instanceof Sequential)) throw new Error(`no blocks at ${stage}`);
  blocks.remove(Number(place)).dispose();
}

/** What a training step computes, without the names of its parameters. */
function trained(model: Module, pass: Pass, leftOut = ' '): unknown {
  const logits = model.forward(pictures, pass);
  crossEntropy(logits, targets).backward();
  const others = (all: Iterable<readonly [string, Tensor]>): Tensor[] =>
    Array.from(all).flatMap(([name, each]) => (name.startsWith(`${leftOut}.`) ? [] : [each]));
  return {
    logits: array(logits),
    grads: others(model.namedParameters()).map(({ grad }) => array(grad)),
    buffers: others(model.namedBuffers()).map(array),
  };
}

describe.each(all)('%s', (_, { make, inner, changing }) => {
  test('a dropped block: training is that of the network without it, bit for bit', () => {
    scope(() => {
      const [model, shorter] = [make(), make()];
      remove(shorter, inner);
      const got = trained(model, dropping(model, inner), inner);
      expect(got).toEqual(trained(shorter, trainingPass()));
      expect(got).not.toEqual(trained(make(), trainingPass(), inner));
      const { grads } = got as { readonly grads: readonly unknown[] };
      expect(grads.includes(null)).toBe(false);
    });
  });

  test.skipIf(changing === undefined)('a dropped block that changes shape: what remains is its shortcut', () => {
    scope(() => {
      const [model, zeroed] = [make(), make()];
      const block = changing as string;
      // A branch of zeros is what dropping leaves; its last layer makes it so.
      const last = Object.entries(zeroed.stateDict()).filter(
        ([name]) => name.startsWith(`${block}.`) && !name.includes('downsample'),
      );
      const names = last.map(([name]) => name).filter((name) => /(conv|bn)\d\.(weight|bias)$/.test(name));
      const layer = (names.at(-1) as string).replace(/\.\w+$/, '');
      noGrad(() => {
        for (const [name, value] of last) if (name.startsWith(`${layer}.`) && /weight|bias/.test(name)) value.mul_(0);
      });
      const wanted = array(zeroed.forward(pictures, trainingPass()));
      expect(array(model.forward(pictures, dropping(model, block)))).toEqual(wanted);
      expect(array(make().forward(pictures, trainingPass()))).not.toEqual(wanted);
    });
  });

  test('evaluation under a policy is the plain network, operator by operator', () => {
    scope(() => {
      const [deep, plain] = [make(), make()];
      applyPolicy(deep, Policy({ drop: 0.5 }));
      const traced = trace(() => deep.forward(pictures));
      expect(traced.calls).toEqual(trace(() => plain.forward(pictures)).calls);
      expect(array(traced.result)).toEqual(array(plain.forward(pictures, evaluation)));
    });
  });

  test('weights are a function of the key alone', () => {
    scope(() => {
      const weights = (model: Module): unknown => Object.values(model.stateDict()).map(array);
      const first = weights(make());
      randn([100]);
      expect(weights(make())).toEqual(first);
      const drawn = make()
        .parameters()
        .flatMap((each) => ([2, 4].includes(each.shape.length) ? [String(array(each)?.slice(0, 3))] : []));
      expect(new Set(drawn).size).toBe(drawn.length);
    });
  });

  test('takes float64 and bfloat16, leaves only its logits behind, and frees all that it held', () => {
    const begin = stats().liveTensors;
    const model = make();
    const before = stats().liveTensors;
    for (const dtype of ['float32', 'float64', 'bfloat16'] as const) {
      model.to({ dtype });
      const x = pictures.to(dtype);
      const held = stats().liveTensors;
      for (const pass of [evaluation, trainingPass()]) {
        const logits = model.forward(x, pass);
        expect(stats().liveTensors).toBe(held + 1);
        expect([logits.shape, logits.dtype]).toEqual([[4, 5], dtype]);
        expect(array(logits)?.every(Number.isFinite)).toBe(true);
        logits.dispose();
      }
      if (x !== pictures) x.dispose();
    }
    expect(stats().liveTensors).toBe(before);
    model.dispose();
    expect(stats().liveTensors).toBe(begin);
  });
});

describe('sites', () => {
  const widths = [4, 4, 4, 4];
  const cases: { name: string; make: () => Module; sites: number; droppable?: number }[] = [
    { name: 'resnet 18', make: () => resnet({ depth: 18, widths, ...common }), sites: 8 },
    { name: 'resnet 34', make: () => resnet({ depth: 34, widths, ...common }), sites: 16 },
    { name: 'resnet 50', make: () => resnet({ depth: 50, widths, ...common }), sites: 16 },
    { name: 'resnet 101', make: () => resnet({ depth: 101, widths, ...common }), sites: 33 },
    { name: 'resnet 152', make: () => resnet({ depth: 152, widths, ...common }), sites: 50 },
    { name: 'preact-resnet 50', make: () => preactResnet({ depth: 50, widths, ...common }), sites: 16 },
    { name: 'convnext tiny', make: () => convnext({ size: 'tiny', widths, ...common }), sites: 18 },
    { name: 'convnext small', make: () => convnext({ size: 'small', widths, ...common }), sites: 36 },
    {
      name: 'efficientnet b0',
      make: () => efficientnet({ size: 'b0', widthFactor: 0.5, ...common }),
      sites: 16,
      droppable: 9,
    },
    {
      name: 'efficientnet b4',
      make: () => efficientnet({ size: 'b4', widthFactor: 0.5, ...common }),
      sites: 32,
      droppable: 25,
    },
  ];

  test.each(cases)('$name has $sites, in forward order', ({ make, sites, droppable = sites }) => {
    using model = make();
    const found = findSites(model);
    expect(found).toHaveLength(sites);
    expect(found.filter((site) => site.droppable)).toHaveLength(droppable);
    const numbers = found.map(({ name }) => name.replace(/^\D+/, '').split('.').map(Number) as [number, number]);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
  });
});

test('a branch that begins as zero: the block passes its input on', () => {
  scope(() => {
    const options = { depth: 50, ...large, ...common } as const;
    const model = resnet({ ...options, zeroInitResidual: true });
    const whole = array(model.forward(pictures));
    const without = resnet({ ...options, blocks: [1, 1, 1, 1], zeroInitResidual: true });
    expect(array(without.forward(pictures))).toEqual(whole);
    expect(array(resnet(options).forward(pictures))).not.toEqual(whole);
  });
});

test('createModel makes each by name', () => {
  scope(() => {
    for (const model of [
      createModel('resnet', { depth: 18, ...small, ...common }),
      createModel('preact-resnet', { depth: 18, ...small, ...common }),
      createModel('convnext', { size: 'tiny', blocks: [1], widths: [4], ...common }),
      createModel('efficientnet', { size: 'b0', widthFactor: 0.25, depthFactor: 0.1, ...common }),
    ]) {
      expect(noGrad(() => model.forward(pictures)).shape).toEqual([4, 5]);
    }
  });
});
