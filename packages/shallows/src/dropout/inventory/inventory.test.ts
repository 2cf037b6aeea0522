import { manualSeed, noGrad, ops, rand, randn, scope, setNumThreads, type Tensor, zeros } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyPolicy, DropPath, Policy, stochasticDepth } from '../../depth/index.js';
import { efficientnet, lstm, resnet, transformerEncoder, vit } from '../../models/index.js';
import { type AnyModule, BatchNorm2d, Conv2d, evaluation, Linear, Module, type Pass } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import { Dropout, dropout, type Inventory, inventory, nameDropouts, stochasticityOf } from '../index.js';

const key = rootKey(3);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const names = ({ sites }: Inventory): string[] => sites.map(({ name }) => name);
const site = ({ sites }: Inventory, wanted: string) => sites.find(({ name }) => name === wanted);
const tokens = (): Tensor => randn([4, 6]).abs().mul(4).clampMax(8).to('int64');

beforeAll(() => setNumThreads(1));

/** What a bare model draws, by operator and module. */
class Bare extends Module {
  readonly first = new Linear(6, 8, { key });
  readonly inner = new Attention();
  readonly drop = new Dropout(0.2);
  readonly head = new Linear(8, 3, { key });

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const y = ops.aten.dropout(this.first.forward(x), 0.4, pass.training) as Tensor;
    const noise = ops.aten.bernoulli.p(y, 0.9) as Tensor;
    const z = pass.mode === 'evaluation' ? y : y.mul(noise);
    return this.head.forward(this.drop.forward(this.inner.forward(z, pass), pass));
  }
}

class Attention extends Module {
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const q = x.reshape([-1, 1, 1, 8]);
    const p = pass.mode === 'evaluation' ? 0 : 0.3;
    return (ops.aten.scaled_dot_product_attention(q, q, q, null, p) as Tensor).reshape([-1, 8]);
  }
}

describe('finds all that is random', () => {
  test('in a vision transformer', () => {
    scope(() => {
      const model = vit({
        ...{ size: 'ti', patch: 4, image: 16, dim: 8, heads: 2, depth: 2, classes: 5, key },
        ...{ posDrop: 0.05, attnDrop: 0.1, projDrop: 0.2, headDrop: 0.3 },
      });
      applyPolicy(model, Policy({ drop: 0.4, unit: 'row' }));
      const found = inventory(model, zeros([2, 3, 16, 16]));
      // By hand: 1 of positions, 2 blocks of 2 branches, 1 of attention weights, 1 of its output and 2 of the MLP, 1 of the head.
      const block = (i: number): string[] => [
        ...[`blocks.${i}.attention`, `blocks.${i}.attn.attn_drop`, `blocks.${i}.attn.proj_drop`],
        ...[`blocks.${i}.feedforward`, `blocks.${i}.mlp.drop1`, `blocks.${i}.mlp.drop2`],
      ];
      expect(names(found)).toEqual(['pos_drop', ...block(0), ...block(1), 'head_drop']);
      expect(found.hidden).toEqual([]);
      expect(found.sites.map(({ position, calls, reached }) => [position, calls, reached])).toEqual(
        found.sites.map((_, i) => [i, 1, true]),
      );
      expect(site(found, 'blocks.1.attn.attn_drop')).toMatchObject({
        ...{ kind: 'dropout', rate: 0.1, granularity: 'element', scaling: 'inverted', schedule: null },
        // 2 heads of 17 tokens that look at 17.
        ...{ fanIn: 2 * 17 * 17, features: 17, follows: '_safe_softmax', before: ['matmul'], layer: '_safe_softmax' },
        ...{ within: ['blocks.1.attention'], doubles: [], batchNorms: [], ends: null },
      });
      expect(site(found, 'blocks.0.mlp.drop1')).toMatchObject({
        ...{ fanIn: 17 * 32, features: 32, follows: 'gelu', before: ['linear'], layer: 'linear', activation: 'gelu' },
      });
      expect(site(found, 'blocks.1.feedforward')).toMatchObject({
        ...{ kind: 'depth', rate: 0.4, granularity: 'row', scaling: 'inverted', fanIn: 1, within: [] },
      });
      expect(site(found, 'head_drop')).toMatchObject({
        fanIn: 8,
        features: 8,
        follows: 'layer_norm',
        before: ['linear'],
      });
    });
  });

  test('in a residual network', () => {
    scope(() => {
      const narrow = { depth: 18, stem: 'cifar', widths: [4, 4, 4, 4], blocks: [2, 1, 1, 1] } as const;
      const model = resnet({ ...narrow, classes: 5, headDrop: 0.5, key });
      applyPolicy(model, Policy({ drop: 0.5, scale: 'paper' }));
      const found = inventory(model, zeros([2, 3, 16, 16]));
      expect(names(found)).toEqual(['layer1.0', 'layer1.1', 'layer2.0', 'layer3.0', 'layer4.0', 'dropout']);
      expect(site(found, 'layer4.0')).toMatchObject({
        kind: 'depth',
        rate: 0.5,
        granularity: 'block',
        scaling: 'paper',
      });
      expect(site(found, 'dropout')).toMatchObject({
        rate: 0.5,
        fanIn: 4,
        features: 4,
        before: ['linear'],
        ends: null,
      });
      expect(found.shifts).toEqual([]);
    });
  });

  test('in an EfficientNet', () => {
    scope(() => {
      const model = efficientnet({ size: 'b0', widthFactor: 0.1, classes: 5, key });
      applyPolicy(model, Policy({ drop: 0.2 }));
      const found = inventory(model, zeros([1, 3, 16, 16]));
      // By hand, of 16 blocks those that keep their shape: 1 (8 channels throughout) + 1 + 1 + 2 + 2 + 3 + 0; and the classifier.
      expect(found.sites.filter(({ kind }) => kind === 'depth')).toHaveLength(10);
      expect(names(found).at(-1)).toBe('classifier.0');
      expect(found.sites).toHaveLength(11);
      expect(found.hidden).toEqual([]);
    });
  });

  test('in an LSTM', () => {
    scope(() => {
      const model = lstm({
        ...{ vocabulary: 9, outputs: 3, dim: 4, hidden: 5, layers: 2, key, wordDrop: 0.1, inputDrop: 0.2 },
        ...{ betweenDrop: 0.3, hiddenDrop: 0.15, outputDrop: 0.25, weightDrop: 0.5, headDrop: 0.4 },
      });
      const found = inventory(model, tokens());
      expect(names(found).sort()).toEqual(
        [
          ...['head_drop', 'rnn.between_dropout', 'rnn.hidden_drop_connect', 'rnn.hidden_dropout', 'rnn.input_dropout'],
          ...['rnn.output_dropout', 'word_drop'],
        ].sort(),
      );
      expect(names(found)[0]).toBe('word_drop');
      expect(names(found).at(-1)).toBe('head_drop');
      expect(
        Object.fromEntries(found.sites.map(({ name, granularity, fanIn }) => [name, [granularity, fanIn]])),
      ).toEqual({
        word_drop: ['word', 9],
        'rnn.hidden_drop_connect': ['weight', 20 * 5],
        'rnn.input_dropout': ['feature', 4],
        'rnn.between_dropout': ['feature', 5],
        'rnn.hidden_dropout': ['feature', 5],
        'rnn.output_dropout': ['feature', 5],
        head_drop: ['element', 5],
      });
      expect(site(found, 'rnn.hidden_drop_connect')).toMatchObject({ calls: 2 });
      expect(site(found, 'word_drop')).toMatchObject({ layer: 'embedding' });
      // The last step of the output is what the head reads.
      expect(site(found, 'head_drop')).toMatchObject({ doubles: ['rnn.output_dropout'] });
      expect(found.sites.every(({ reached }) => reached)).toBe(true);
    });
  });

  test('where layers are dropped whole: all of them are looked into', () => {
    scope(() => {
      const text = { vocabulary: 9, dim: 8, heads: 2, depth: 3, length: 6, classes: 3, key };
      const found = inventory(transformerEncoder({ ...text, projDrop: 0.1, layerDrop: 0.9, wordDrop: 0.2 }), tokens());
      const reached = found.sites.filter(({ active }) => active);
      expect(reached).toHaveLength(1 + 1 + 3 * 3);
      expect(reached.every((each) => each.reached)).toBe(true);
      expect(site(found, 'layer_drop')).toMatchObject({ kind: 'layer-drop', granularity: 'layer', calls: 1 });
      expect(site(found, 'blocks.2.attn.attn_drop')).toMatchObject({ active: false, reached: true });
    });
  });

  test('in a forward of a user, by operators, modules and names', () => {
    scope(() => {
      const found = inventory(new Bare(), randn([2, 6]));
      expect(names(found)).toEqual(['drop']);
      expect(found.hidden).toEqual([
        {
          ...{ operator: 'aten::dropout', overload: '', rate: 0.4, module: '', position: 0, calls: 1 },
          modes: ['training'],
        },
        {
          ...{ operator: 'aten::bernoulli', overload: 'p', rate: null, module: '', position: 1, calls: 1 },
          modes: ['evaluation', 'training', 'monte-carlo'],
        },
        {
          ...{ operator: 'aten::scaled_dot_product_attention', overload: '', rate: 0.3, module: 'inner', position: 2 },
          ...{ calls: 1, modes: ['training', 'monte-carlo'] },
        },
      ]);
      expect(site(found, 'drop')).toMatchObject({
        position: 3,
        follows: 'reshape',
        layer: 'scaled_dot_product_attention',
      });
    });
  });

  test('functions with a name, and modules that drop paths', () => {
    class Own extends Module {
      readonly path = new DropPath(0.3);
      readonly head = new Linear(6, 3, { key });
      override forward(x: Tensor, pass: Pass = evaluation): Tensor {
        const y = stochasticDepth(this.path.forward(x, pass), 0.1, 'row', pass, { name: 'rows' });
        return this.head.forward(dropout(y, 0.25, pass, { name: 'mine' }));
      }
    }
    scope(() => {
      const found = inventory(new Own(), randn([2, 6]));
      expect(found.sites).toMatchObject([
        {
          name: 'path',
          kind: 'drop-path',
          rate: 0.3,
          granularity: 'row',
          scaling: 'inverted',
          reached: true,
          fanIn: 1,
        },
        { name: 'rows', kind: 'function', rate: 0.1, reached: true, calls: 1, position: 1 },
        { name: 'mine', kind: 'function', rate: 0.25, granularity: 'unknown', reached: true, calls: 1 },
      ]);
      expect(found.sites[2]?.doubles).toEqual(['path']);
    });
  });
});

describe('changes nothing', () => {
  class WithNorm extends Module {
    readonly conv = new Conv2d(2, 4, 3, { key });
    readonly drop = new Dropout(0.5);
    readonly norm = new BatchNorm2d(4);
    override forward(x: Tensor, pass: Pass = evaluation): Tensor {
      const y = this.norm.forward(this.drop.forward(this.conv.forward(x, pass), pass), pass);
      const z = ops.aten.dropout(y.add(rand([1])), 0.1, pass.training) as Tensor;
      return z.mean([2, 3]);
    }
  }

  test('outputs, buffers, names, methods and the default generator are as before', () => {
    scope(() => {
      const model = new WithNorm();
      const x = randn([3, 2, 5, 5]);
      const state = (): number[][] => Object.values(model.stateDict()).map(numbers);
      const [before, fields] = [state(), Object.getOwnPropertyNames(model.drop)];
      const drawn = (between: () => unknown): number[][] => {
        manualSeed(7);
        const first = noGrad(() => numbers(model.forward(x)));
        between();
        return [first, noGrad(() => numbers(model.forward(x))), numbers(rand([3]))];
      };
      const plain = drawn(() => {});
      expect(drawn(() => inventory(model, x))).toEqual(plain);
      expect(state()).toEqual(before);
      expect(Object.getOwnPropertyNames(model.drop)).toEqual(fields);
      expect(model.drop.site.name).toBe('');
      nameDropouts(model);
      model.drop.site.name = 'trunk.drop';
      expect(names(inventory(model, x))).toEqual(['drop']);
      expect(model.drop.site.name).toBe('trunk.drop');
    });
  });

  test('also where the forward fails', () => {
    scope(() => {
      const model = new WithNorm();
      expect(() => inventory(model, randn([3, 2]))).toThrow();
      expect(Object.hasOwn(model, 'forward')).toBe(false);
      expect(model.drop.site.name).toBe('');
      expect(() => inventory(model, 'x' as unknown as Tensor)).toThrow(
        'inventory: expected an example input for the model, got "x" - give a tensor',
      );
    });
  });

  test('what it gives is frozen plain data', () => {
    scope(() => {
      const found = inventory(new Bare(), randn([2, 6]));
      expect(JSON.parse(JSON.stringify(found))).toEqual(found);
      expect([found, found.sites, found.sites[0], found.hidden[0]?.modes].every(Object.isFrozen)).toBe(true);
    });
  });
});

test('without an example, what the modules say, in the shape of a run’s record too', () => {
  scope(() => {
    const model: AnyModule = new Bare();
    expect(inventory(model)).toMatchObject({ sites: [{ name: 'drop', reached: null, calls: null }], hidden: [] });
    expect(stochasticityOf(model)).toEqual([
      { path: 'drop', kind: 'dropout', rate: 0.2, granularity: 'element', scaling: 'inverted' },
    ]);
  });
});

test('a rate that nothing comes to is told from one that is', () => {
  scope(() => {
    class Idle extends Module {
      readonly used = new Dropout(0.1);
      readonly idle = new Dropout(0.3);
      readonly off = new Dropout(0);
      override forward(x: Tensor, pass: Pass = evaluation): Tensor {
        return this.off.forward(this.used.forward(x, pass), pass);
      }
    }
    const found = inventory(new Idle(), randn([2, 3]));
    expect(
      found.sites.map(({ name, active, reached, position, calls }) => [name, active, reached, position, calls]),
    ).toEqual([
      ['used', true, true, 0, 1],
      ['off', false, true, 1, 1],
      ['idle', true, false, null, 0],
    ]);
  });
});
