import { randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { nameDropouts } from '../dropout/index.js';
import { callsSlot, type Module, monteCarloPass, rowKeysSlot, trainingPass } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import {
  cifarResnet,
  convnext,
  efficientnet,
  mlp,
  preactResnet,
  residualMlp,
  resnet,
  swin,
  transformerDecoder,
  transformerEncoder,
  vit,
} from './index.js';

const key = rootKey(12);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const pictures = (): Tensor => randn([4, 3, 16, 16]);
const tokens = (): Tensor => randn([4, 6]).abs().mul(4).clampMax(8).to('int64');
const head = { headDrop: 0.3 };
const inner = { attnDrop: 0.1, projDrop: 0.2, hiddenDrop: 0.4 };
const common = { classes: 5, key };
const text = { vocabulary: 9, dim: 8, heads: 2, depth: 2, length: 6, key };
const words = { wordDrop: 0.15, embedDrop: 0.25 };

interface Case {
  readonly make: (rates: object) => Module;
  readonly rates: object;
  readonly input: () => Tensor;
  /** Names and rates of all dropouts, by hand. */
  readonly sites: Readonly<Record<string, number>>;
  /** Whether rows are independent of each other in a Monte-Carlo pass. */
  readonly rows?: boolean;
}

const block = (name: string, attn = 'attn_drop', proj = 'proj_drop', mlps = ['drop1', 'drop2']) => ({
  [`${name}.attn.${attn}`]: 0.1,
  [`${name}.attn.${proj}`]: 0.2,
  [`${name}.mlp.${mlps[0]}`]: 0.4,
  [`${name}.mlp.${mlps[1]}`]: 0.2,
});
const swinBlock = (name: string) => block(name, 'attn_drop', 'proj_drop', ['2', '4']);
const narrow = { depth: 18, stem: 'cifar', widths: [4, 4, 4, 4], blocks: [1, 1, 1, 1] } as const;

const cases: Record<string, Case> = {
  'cifar-resnet': {
    make: (rates) => cifarResnet({ depth: 8, ...common, ...rates }),
    rates: head,
    input: pictures,
    sites: { dropout: 0.3 },
  },
  resnet: {
    make: (rates) => resnet({ ...narrow, ...common, ...rates }),
    rates: head,
    input: pictures,
    sites: { dropout: 0.3 },
  },
  'preact-resnet': {
    make: (rates) => preactResnet({ ...narrow, ...common, ...rates }),
    rates: head,
    input: pictures,
    sites: { dropout: 0.3 },
  },
  efficientnet: {
    make: (rates) => efficientnet({ size: 'b0', widthFactor: 0.1, depthFactor: 0.1, ...common, ...rates }),
    rates: head,
    input: pictures,
    sites: { 'classifier.0': 0.3 },
  },
  convnext: {
    make: (rates) => convnext({ size: 'tiny', patch: 2, widths: [4], blocks: [1], ...common, ...rates }),
    rates: head,
    input: pictures,
    sites: { 'classifier.1.1': 0.3 },
  },
  vit: {
    make: (rates) => vit({ size: 'ti', patch: 4, image: 16, dim: 8, heads: 2, depth: 2, ...common, ...rates }),
    rates: { ...inner, ...head, posDrop: 0.05 },
    input: pictures,
    sites: { pos_drop: 0.05, ...block('blocks.0'), ...block('blocks.1'), head_drop: 0.3 },
  },
  swin: {
    make: (rates) => swin({ size: 't', patch: 2, window: 4, dim: 8, depths: [2], heads: [2], ...common, ...rates }),
    rates: { ...inner, ...head },
    input: pictures,
    sites: { ...swinBlock('features.1.0'), ...swinBlock('features.1.1'), head_drop: 0.3 },
  },
  'transformer-encoder': {
    make: (rates) => transformerEncoder({ ...text, classes: 3, padding: 0, ...rates }),
    rates: { ...inner, ...words, ...head, layerDrop: 0.35 },
    input: tokens,
    sites: {
      layer_drop: 0.35,
      'embed.word_drop': 0.15,
      'embed.dropout': 0.25,
      ...block('blocks.0'),
      ...block('blocks.1'),
      head_drop: 0.3,
    },
  },
  'transformer-decoder': {
    make: (rates) => transformerDecoder({ ...text, ...rates }),
    rates: { ...inner, ...words, layerDrop: 0.35 },
    input: tokens,
    sites: {
      layer_drop: 0.35,
      'embed.word_drop': 0.15,
      'embed.dropout': 0.25,
      ...block('blocks.0'),
      ...block('blocks.1'),
    },
  },
  'residual-mlp': {
    make: (rates) => residualMlp({ inputs: 6, outputs: 2, width: 8, blocks: 1, key, ...rates }),
    rates: { hiddenDrop: 0.4, projDrop: 0.2, ...head },
    input: () => randn([4, 6]),
    sites: { 'blocks.0.mlp.drop1': 0.4, 'blocks.0.mlp.drop2': 0.2, head_drop: 0.3 },
  },
  mlp: {
    make: (rates) => mlp({ inputs: 6, outputs: 2, hidden: [8], key, ...rates }),
    rates: { inputDrop: 0.05, hiddenDrop: 0.4, weightDrop: 0.2 },
    input: () => randn([4, 6]),
    sites: { input_drop: 0.05, 'layers.0.drop_connect': 0.2, 'layers.2': 0.4 },
  },
};

beforeAll(() => setNumThreads(1));

describe.each(Object.entries(cases))('%s', (_, { make, rates, input, sites }) => {
  test('has these dropouts by name, all at 0 unless a rate is given, and no other keys for them', () => {
    using model = make(rates);
    using plain = make({ headDrop: 0 });
    expect(Object.fromEntries(nameDropouts(model).map(({ name, rate }) => [name, rate]))).toEqual(sites);
    expect(nameDropouts(plain).every(({ rate }) => rate === 0)).toBe(true);
    expect(nameDropouts(plain)).toHaveLength(Object.keys(sites).length);
    expect(Object.keys(model.stateDict())).toEqual(Object.keys(plain.stateDict()));
  });

  test('evaluates as the plain network, and draws at each of them in training', () => {
    scope(() => {
      const model = make({ ...rates, ...('layerDrop' in rates ? { layerDrop: 0 } : {}) });
      const x = input();
      expect(numbers(model.forward(x))).toEqual(numbers(make({ headDrop: 0 }).forward(x)));
      const pass = trainingPass({ key });
      const y = model.forward(x, pass);
      const drawn = [...(pass.get(callsSlot)?.counts.keys() ?? [])].sort();
      expect(drawn).toEqual(
        Object.keys(sites)
          .filter((name) => name !== 'layer_drop')
          .sort(),
      );
      expect(numbers(model.forward(x, trainingPass({ key })))).toEqual(numbers(y));
      expect(numbers(model.forward(x, trainingPass({ key: rootKey(13) })))).not.toEqual(numbers(y));
      y.pow(2).sum().backward();
      expect(model.parameters().every(({ grad }) => grad !== null)).toBe(true);
    });
  });

  test('a row with a key is what it is alone', () => {
    scope(() => {
      const model = make(rates);
      const x = input();
      const keys = [0, 1, 2, 3].map((i) => deriveKey(key, 'row', i));
      const of = (rows: Tensor, own: typeof keys): Tensor =>
        model.forward(rows, monteCarloPass({ key }).with(rowKeysSlot, own));
      const whole = of(x, keys);
      for (const row of [0, 2]) {
        const alone = of(x.narrow(0, row, 1), keys.slice(row, row + 1));
        expect(whole.narrow(0, row, 1)).toBeAllclose(alone, { rtol: 1e-3, atol: 1e-5 });
      }
    });
  });

  test('a rate that is none is an error with its name', () => {
    for (const name of Object.keys(rates)) {
      expect(() => make({ [name]: Number.NaN })).toThrow(`${name}: expected a drop rate in [0, 1], got NaN`);
    }
  });
});

test.each([
  ['b0', 0.2],
  ['b3', 0.3],
  ['b5', 0.4],
  ['b7', 0.5],
] as const)('efficientnet %s has torchvision’s dropout of %s', (size, rate) => {
  using model = efficientnet({ size, widthFactor: 0.1, depthFactor: 0.1, ...common });
  expect(nameDropouts(model).map((site) => site.rate)).toEqual([rate]);
});
