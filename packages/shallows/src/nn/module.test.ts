import { readFileSync } from 'node:fs';
import { fromTypedArray, randn, scope, setNumThreads, stats, type Tensor, tensor, zeros } from '@shallows/torch';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { rootKey } from '../random/index.js';
import {
  BatchNorm2d,
  Buffer,
  Conv2d,
  Linear,
  Module,
  Parameter,
  ReLU,
  Sequential,
  SGD,
  type StateDict,
} from './index.js';

const key = rootKey(1);
beforeAll(() => setNumThreads(1));

class Inner extends Module {
  readonly normFirst = new BatchNorm2d(2);
  readonly sharedPart: Linear;
  readonly outProj = new Linear(2, 2, { key, bias: false });

  constructor(shared: Linear) {
    super();
    this.sharedPart = shared;
  }

  override forward(x: Tensor): Tensor {
    return x;
  }
}

class Tied extends Module {
  readonly weight: Parameter;

  constructor(weight: Parameter) {
    super();
    this.weight = weight;
  }

  override forward(x: Tensor): Tensor {
    return x;
  }
}

/** `Net` of fixtures/state_dict.py. */
class Net extends Module {
  readonly runningScale = new Buffer(zeros([1]));
  readonly #shared = new Linear(2, 3, { key });
  readonly stem = new Sequential(new Conv2d(1, 2, 1, { key }), new ReLU(), new BatchNorm2d(2));
  readonly inner = new Inner(this.#shared);
  readonly blocks = [new Linear(1, 1, { key }), [new Linear(1, 2, { key, bias: false })]];
  readonly gains = [new Parameter(zeros([1])), new Parameter(zeros([2]))];
  readonly heads = { coarse: new Linear(2, 1, { key }), fineGrained: new Linear(2, 2, { key }) };
  readonly again = this.#shared;
  readonly tied = new Tied(this.#shared.weight);
  readonly firstScale = new Parameter(zeros([4]));
  readonly qkvMask = new Buffer(zeros([2, 2]));
  readonly lastBias = new Parameter(zeros([1]));
  readonly notState = { names: ['a', 'b'], widths: new Float64Array(3), plain: zeros([3]), none: null };

  override forward(x: Tensor): Tensor {
    return x;
  }
}

interface Reference {
  readonly state: Record<string, number[]>;
  readonly parameters: readonly string[];
  readonly buffers: readonly string[];
  readonly parameterCount: number;
  readonly modules: readonly (readonly [string, string])[];
}

describe('names against PyTorch (fixtures/state_dict.py)', () => {
  const reference: Reference = JSON.parse(readFileSync(new URL('fixtures/state_dict.json', import.meta.url), 'utf8'));
  const net = new Net();

  test('stateDict: keys, their order and shapes; what is shared under each of its names', () => {
    const state = net.stateDict();
    expect(Object.entries(state).map(([name, value]) => [name, value.shape])).toEqual(Object.entries(reference.state));
    expect(state['again.weight']).toBe(state['inner.shared_part.weight']);
    expect(state['tied.weight']).toBe(state['inner.shared_part.weight']);
  });

  test('namedParameters and namedBuffers: each once', () => {
    expect(Array.from(net.namedParameters(), ([name]) => name)).toEqual(reference.parameters);
    expect(Array.from(net.namedBuffers(), ([name]) => name)).toEqual(reference.buffers);
    expect(new Set(net.parameters()).size).toBe(reference.parameters.length);
    expect(net.parameterCount).toBe(reference.parameterCount);
  });

  test('namedModules: each once, without the lists, which are no modules here', () => {
    const lists = ['ModuleList', 'ParameterList', 'ModuleDict'];
    const names = reference.modules.filter(([, type]) => !lists.includes(type)).map(([name]) => name);
    expect(Array.from(net.namedModules(), ([name]) => name)).toEqual(names);
    expect(Array.from(net.inner.namedModules('at'), ([name]) => name).slice(0, 2)).toEqual(['at', 'at.norm_first']);
  });
});

test('names that have no camelCase stay, and acronyms are one word', () => {
  class Odd extends Module {
    readonly conv1x1 = new Parameter(zeros([1]));
    readonly snake_case = new Parameter(zeros([1]));
    readonly A = new Parameter(zeros([1]));
    readonly toQKV = new Parameter(zeros([1]));
    readonly useXYBias2D = new Parameter(zeros([1]));
    override forward(x: Tensor): Tensor {
      return x;
    }
  }
  expect(Object.keys(new Odd().stateDict())).toEqual(['conv1x1', 'snake_case', 'A', 'to_qkv', 'use_xy_bias2_d']);
});

test('a module that holds itself is an error, not an endless walk', () => {
  class Child extends Module {
    parents: Module[] = [];
    override forward(x: Tensor): Tensor {
      return x;
    }
  }
  const child = new Child();
  const model = new Sequential(new ReLU(), child);
  child.parents = [model];
  const message = "Module: expected a tree of modules, got one that holds itself at '1.parents.0' - keep references";
  expect(() => model.stateDict()).toThrow(message);
  expect(() => model.parameters()).toThrow(message);
  expect(() => [...model.namedModules()]).toThrow(message);
});

describe('loadStateDict', () => {
  const make = (seed: number): Sequential =>
    new Sequential(new Linear(2, 3, { key: rootKey(seed) }), new BatchNorm2d(3));
  const numbers = (model: Module): number[][] =>
    Object.values(model.stateDict()).map((value) => Array.from(value.toArray(), Number));

  test('copies values: the module is then equal, and stays itself', () => {
    const [from, to] = [make(1), make(2)];
    const weight = (to.stateDict() as { '0.weight': Tensor })['0.weight'];
    expect(numbers(to)).not.toEqual(numbers(from));
    expect(to.loadStateDict(from.stateDict())).toEqual({ missing: [], unexpected: [] });
    expect(numbers(to)).toEqual(numbers(from));
    expect(to.stateDict()['0.weight']).toBe(weight);
    expect(weight.requiresGrad).toBe(true);
    scope(() => from.loadStateDict(make(3).stateDict()));
    expect(numbers(to)).not.toEqual(numbers(from));
  });

  test('casts to the dtype of the module', () => {
    const model = make(1).to({ dtype: 'float64' });
    const state = make(2).stateDict();
    model.loadStateDict({ ...state, '1.num_batches_tracked': tensor([7]).reshape([]) });
    expect(model.stateDict()['0.weight']?.dtype).toBe('float64');
    expect(model.stateDict()['0.weight']).toBeAllclose(state['0.weight'] as Tensor, { rtol: 0, atol: 0 });
    expect(model.stateDict()['1.num_batches_tracked']?.dtype).toBe('int64');
    expect(model.stateDict()['1.num_batches_tracked']?.item()).toBe(7);
  });

  test('strict: every problem at once, and nothing is copied', () => {
    const model = make(1);
    const before = numbers(model);
    const { '0.bias': bias, '1.running_mean': _, ...rest } = make(2).stateDict();
    const disposed = zeros([3]);
    disposed.dispose();
    const state = {
      ...rest,
      '0.biases': bias as Tensor,
      '0.weight': zeros([3, 3]),
      '1.running_var': null as unknown as Tensor,
      '1.bias': disposed,
      '1.weight': fromTypedArray(new Float32Array(3)).to('complex64' as 'float32'),
    };
    let message = '';
    try {
      model.loadStateDict(state);
    } catch (error) {
      expect(error).toBeInstanceOf(ShallowsError);
      message = (error as Error).message;
    }
    expect(message.split('\n')).toEqual([
      'loadStateDict: expected the state of such a module - see each key:',
      '  0.bias: expected a tensor, got none',
      '  1.running_mean: expected a tensor, got none',
      "  0.biases: expected a key of the module, got another, did you mean '0.bias'?",
      '  0.weight: expected shape [3, 2], got [3, 3]',
      '  1.weight: expected float32 or what converts to it, got complex64',
      '  1.bias: expected a live tensor, got one that was disposed',
      '  1.running_var: expected a tensor, got null',
    ]);
    expect(numbers(model)).toEqual(before);
  });

  test('not strict: reports what did not match, copies what did, and still refuses another shape', () => {
    const model = make(1);
    const other = make(2);
    const { '0.bias': _, ...rest } = other.stateDict();
    const report = model.loadStateDict({ ...rest, more: zeros([1]) }, { strict: false });
    expect(report).toEqual({ missing: ['0.bias'], unexpected: ['more'] });
    expect(model.stateDict()['0.weight']).toBeAllclose(other.stateDict()['0.weight'] as Tensor, { rtol: 0, atol: 0 });
    expect(model.stateDict()['0.bias']?.toArray()).not.toEqual(other.stateDict()['0.bias']?.toArray());

    const before = numbers(model);
    const wrong = { ...make(3).stateDict(), '1.weight': zeros([4]) };
    expect(() => model.loadStateDict(wrong, { strict: false })).toThrow('1.weight: expected shape [3], got [4]');
    expect(numbers(model)).toEqual(before);
  });

  test('many problems are counted, not all listed', () => {
    const state = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x${i}`, zeros([1])]));
    expect(() => new Sequential().loadStateDict(state)).toThrow(/x19: .*\n {2}and 10 more$/);
  });

  test.each([null, 3, new Map(), zeros([1])])('what is no state is an error', (state) => {
    expect(() => make(1).loadStateDict(state as unknown as StateDict)).toThrow(
      'loadStateDict: expected an object of tensors by key, got ',
    );
  });
});

describe('to', () => {
  test('casts floating-point tensors and gradients in place, so an optimizer keeps its hold', () => {
    const model = new Sequential(new Linear(2, 2, { key }), new BatchNorm2d(2));
    const parameters = model.parameters();
    const sgd = new SGD(parameters, { lr: 0.5 });
    const [weight] = parameters as [Parameter];
    weight.grad = tensor([
      [1, 2],
      [3, 4],
    ]);
    const before = Array.from(weight.toArray(), Number);
    const live = stats().liveTensors;

    expect(model.to({ dtype: 'float64' })).toBe(model);
    expect(stats().liveTensors).toBe(live);
    expect(model.parameters().every((each, i) => each === parameters[i])).toBe(true);
    expect(Object.values(model.stateDict()).map(({ dtype }) => dtype)).toEqual([...Array(6).fill('float64'), 'int64']);
    expect(weight.grad?.dtype).toBe('float64');
    expect(weight.requiresGrad && weight.isLeaf).toBe(true);
    sgd.step();
    expect(weight).toBeAllclose(
      before.map((each, i) => each - 0.5 * (i + 1)),
      { rtol: 1e-12 },
    );

    sgd.zeroGrad();
    scope(() => (model.stateDict()['0.weight'] as Tensor).sum().backward());
    expect(weight.grad?.dtype).toBe('float64');
  });

  test('shared parameters are cast once and stay shared', () => {
    const shared = new Linear(1, 1, { key });
    const model = new Sequential(shared, shared).to({ dtype: 'bfloat16' });
    expect(model.stateDict()['0.weight']).toBe(model.stateDict()['1.weight']);
    expect(shared.weight.dtype).toBe('bfloat16');
  });

  test('changes nothing where nothing changes, and refuses dtypes without gradients', () => {
    const model = new Linear(2, 2, { key });
    const values = Array.from(model.weight.toArray(), Number);
    model.to({}).to({ dtype: 'float32', device: 'cpu' });
    expect(Array.from(model.weight.toArray(), Number)).toEqual(values);
    expect(() => model.to({ dtype: 'int64' })).toThrow(
      'to: expected a dtype of float32, float64, float16, bfloat16, got "int64"',
    );
    expect(() => model.to({ device: 'nowhere' })).toThrow();
    expect(() => model.to('float64' as never)).toThrow('to: expected { device, dtype }, got "float64" - write to(');
    expect(Array.from(model.weight.toArray(), Number)).toEqual(values);
  });
});

describe('life', () => {
  let before = 0;
  beforeEach(() => {
    before = stats().liveTensors;
  });

  const make = (): Sequential =>
    new Sequential(new Conv2d(1, 2, 1, { key }), new BatchNorm2d(2), new Linear(1, 1, { key }));

  test('a module holds its own tensors alone, and dispose frees them all', () => {
    const model = make();
    expect(stats().liveTensors).toBe(before + Object.keys(model.stateDict()).length);
    model.dispose();
    expect(stats().liveTensors).toBe(before);
    model.dispose();
    expect(() => model.forward(zeros([1, 1, 1, 1]))).toThrow('disposed');
    {
      using used = make();
      expect(used.parameterCount).toBeGreaterThan(0);
    }
    expect(stats().liveTensors).toBe(before + 1);
  });

  test('parameters and buffers made within a scope survive it', () => {
    const made = scope(() => {
      scope(() => zeros([1]));
      return { hidden: [new WeakRef(make())] };
    });
    const model = made.hidden[0]?.deref() as Sequential;
    expect(stats().liveTensors).toBe(before + Object.keys(model.stateDict()).length);
    expect(Object.values(model.stateDict()).some(({ disposed }) => disposed)).toBe(false);
    model.dispose();
    expect(stats().liveTensors).toBe(before);
  });

  test('a parameter is a tensor of its own over the memory of its data', () => {
    scope(() => {
      const data = zeros([2]);
      const parameter = new Parameter(data);
      expect([data.requiresGrad, parameter.requiresGrad, parameter.isLeaf]).toEqual([false, true, true]);
      data.add_(tensor([1, 2]));
      expect(Array.from(parameter.toArray(), Number)).toEqual([1, 2]);
      const derived = randn([2], { requiresGrad: true }).mul(2);
      expect(new Parameter(derived).isLeaf).toBe(true);
      expect(new Buffer(derived).requiresGrad).toBe(false);
      expect(new Parameter(zeros([1], { dtype: 'int64' }), { requiresGrad: false }).requiresGrad).toBe(false);
      const live = stats().liveTensors;
      expect(() => new Parameter(zeros([1], { dtype: 'int64' }))).toThrow('floating point');
      expect(stats().liveTensors).toBe(live + 1);
    });
  });
});
