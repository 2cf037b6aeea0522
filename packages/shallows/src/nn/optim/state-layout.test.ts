import { fromTypedArray, ones, ops, scope, stats, type Tensor, tensor, zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { Adam, AdamW, type JsonValue, LAMB, type Optimizer, Parameter, RMSprop, SGD } from '../index.js';

const make: Record<string, (params: Parameter[]) => Optimizer> = {
  sgd: (params) => new SGD(params, { lr: 0.1, momentum: 0.9 }),
  adam: (params) => new Adam(params, { lr: 0.1, amsgrad: true }),
  adamw: (params) => new AdamW(params, { lr: 0.1 }),
  rmsprop: (params) => new RMSprop(params, { lr: 0.1, momentum: 0.5, centered: true }),
  lamb: (params) => new LAMB(params, { lr: 0.1 }),
};

function moved(optimizer: Optimizer, params: readonly Parameter[]): void {
  scope(() => {
    for (const [i, parameter] of params.entries()) parameter.grad = parameter.detach().mul(0.5).add(i);
    optimizer.step();
  });
}

describe.each(Object.entries(make))('%s', (name, create) => {
  test('leaves gradients as they are, frees what a step makes, and all of it at the end', () => {
    const params = [new Parameter(ones([2, 3])), new Parameter(tensor([1, 2]))];
    const optimizer = create(params);
    expect(optimizer.name).toBe(name);
    const bare = stats().liveTensors;
    moved(optimizer, params);
    const gradients = (): unknown[] => scope(() => params.map(({ grad }) => grad?.toArray()));
    const grads = gradients();
    scope(() => optimizer.step());
    expect(gradients()).toEqual(grads);
    optimizer.stateDict();
    const live = stats().liveTensors;
    for (let i = 0; i < 5; i++) {
      scope(() => optimizer.step());
      optimizer.stateDict();
    }
    expect(stats().liveTensors).toBe(live);
    optimizer.zeroGrad();
    expect(params.map(({ grad }) => grad)).toEqual([null, null]);
    optimizer.dispose();
    expect(stats().liveTensors).toBe(bare);
    expect(optimizer.stateDict().tensors).toEqual({});
  });

  test('writes keys, counts and settings as PyTorch does', () => {
    const params = [new Parameter(ones([2])), new Parameter(ones([3])), new Parameter(ones([1]))];
    const optimizer = create(params);
    moved(optimizer, params.slice(0, 1));
    moved(optimizer, [params[0], params[2]] as Parameter[]);
    const { tensors, json } = optimizer.stateDict();
    const indices = new Set(Object.keys(tensors).map((key) => key.split('.')[0]));
    expect([...indices]).toEqual(['0', '2']);
    const steps = ['0', '2'].map((index) => tensors[`${index}.step`]?.item());
    expect(steps).toEqual(name === 'sgd' ? [undefined, undefined] : [2, 1]);
    expect(json).toMatchObject({ param_groups: [{ lr: 0.1, initial_lr: 0.1, params: [0, 1, 2] }] });
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  });
});

describe('loadStateDict', () => {
  const params = (): Parameter[] => [new Parameter(ones([2])), new Parameter(ones([3]))];
  const saved = (): { tensors: Record<string, Tensor>; json: { param_groups: Record<string, JsonValue>[] } } => {
    const own = params();
    const adam = new Adam(own, { lr: 0.1 });
    moved(adam, own);
    const { tensors, json } = adam.stateDict();
    return { tensors: { ...tensors }, json: JSON.parse(JSON.stringify(json)) };
  };

  test('makes copies of its own, of the dtype of the parameter', () => {
    const state = saved();
    const own = params();
    const adam = new Adam(own, { lr: 1 });
    const wide = { ...state.tensors, '0.exp_avg': fromTypedArray(Float64Array.of(1, 2)) };
    adam.loadStateDict({ tensors: wide, json: state.json });
    for (const each of Object.values(wide)) each.dispose();
    const { tensors } = adam.stateDict();
    expect(tensors['0.exp_avg']?.dtype).toBe('float32');
    expect(tensors['0.exp_avg']).toBeAllclose([1, 2]);
    expect(adam.groups[0]).toMatchObject({ lr: 0.1, baseLr: 0.1 });
    moved(adam, own);
    expect(adam.stateDict().tensors['1.step']?.item()).toBe(2);
  });

  test('puts values into the memory that is there, and asks for other memory where that does not fit', () => {
    const state = saved();
    const own = params();
    const adam = new Adam(own, { lr: 1 });
    moved(adam, own);
    moved(adam, own);
    const before = adam.stateDict().tensors;
    const live = stats().liveTensors;
    adam.loadStateDict(state);
    const after = adam.stateDict().tensors;
    for (const name of ['0.exp_avg', '1.exp_avg_sq']) {
      expect(after[name]).toBe(before[name]);
      expect(after[name]).toBeAllclose(state.tensors[name] as Tensor);
    }
    expect(after['0.step']?.item()).toBe(1);
    expect(stats().liveTensors).toBe(live);

    for (const each of own) ops.aten.set_data(each, each.detach().to('float64'));
    adam.loadStateDict(state);
    expect(before['0.exp_avg']?.disposed).toBe(true);
    expect(adam.stateDict().tensors['0.exp_avg']?.dtype).toBe('float64');
  });

  test('a state made of its own tensors, in other places, is read before any is written', () => {
    const own = [new Parameter(ones([2])), new Parameter(ones([2]))];
    const sgd = new SGD(own, { lr: 0.1, momentum: 0.9 });
    moved(sgd, own);
    const { tensors, json } = sgd.stateDict();
    const [first, second] = [tensors['0.momentum_buffer'] as Tensor, tensors['1.momentum_buffer'] as Tensor];
    const [a, b] = [first.toArray(), second.toArray()];
    expect(a).not.toEqual(b);
    sgd.loadStateDict({ tensors: { '0.momentum_buffer': second, '1.momentum_buffer': first }, json });
    const swapped = sgd.stateDict().tensors;
    expect([swapped['0.momentum_buffer']?.toArray(), swapped['1.momentum_buffer']?.toArray()]).toEqual([b, a]);
    sgd.loadStateDict(sgd.stateDict());
    expect(sgd.stateDict().tensors['0.momentum_buffer']?.toArray()).toEqual(b);
  });

  type Saved = ReturnType<typeof saved>;
  test.each<[string, (state: Saved) => void, string]>([
    ['no groups', (s) => Object.assign(s, { json: {} }), 'Adam.loadStateDict: expected json with param_groups, got an'],
    ['json that is none', (s) => Object.assign(s, { json: 7 }), 'expected json with param_groups, got 7'],
    [
      'other groups',
      ({ json }) => json.param_groups.push({ params: [] }),
      'expected groups of [2] parameters, got [2, 0]',
    ],
    ['a setting that misses', ({ json }) => delete json.param_groups[0]?.betas, 'group 0: expected betas, got none'],
    [
      'a setting out of range',
      ({ json }) => Object.assign(json.param_groups[0] ?? {}, { eps: -1 }),
      'group 0: Adam: eps: expected a number from 0, got -1',
    ],
    [
      'another algorithm',
      ({ json }) => Object.assign(json.param_groups[0] ?? {}, { decoupled_weight_decay: true }),
      'group 0: expected decoupled_weight_decay false, got true',
    ],
    [
      'another direction',
      ({ json }) => Object.assign(json.param_groups[0] ?? {}, { maximize: true }),
      'group 0: expected maximize false, got true',
    ],
    [
      'a rate that is none',
      ({ json }) => Object.assign(json.param_groups[0] ?? {}, { initial_lr: 'high' }),
      'group 0: expected initial_lr to be a number, got "high"',
    ],
    [
      'a tensor that misses',
      ({ tensors }) => delete tensors['0.exp_avg'],
      '0.exp_avg: expected a live tensor, got none',
    ],
    [
      'a tensor too many',
      ({ tensors }) => Object.assign(tensors, { '0.momentum_buffer': ones([2]) }),
      '0.momentum_buffer: expected a tensor that Adam keeps, got another',
    ],
    [
      'a tensor of another shape',
      ({ tensors }) => Object.assign(tensors, { '1.exp_avg_sq': ones([2]) }),
      '1.exp_avg_sq: expected shape [3], got [2]',
    ],
    [
      'a disposed tensor',
      ({ tensors }) => tensors['0.exp_avg']?.dispose(),
      '0.exp_avg: expected a live tensor, got an object',
    ],
    [
      'a fraction of a step',
      ({ tensors }) => Object.assign(tensors, { '1.step': tensor(1.5) }),
      '1.step: expected a tensor with a whole number from 0, got 1.5',
    ],
    ['no step', ({ tensors }) => delete tensors['1.step'], '1.step: expected a tensor with a whole number from 0, got'],
  ])('%s is an error, and nothing changes', (_, spoil, message) => {
    const state = saved();
    spoil(state);
    const own = params();
    const adam = new Adam(own, { lr: 0.3 });
    moved(adam, own);
    const before = adam.stateDict();
    const values = Object.values(before.tensors).map((each) => each.toArray());
    const load = (): void => adam.loadStateDict(state);
    expect(load).toThrow(ShallowsError);
    expect(load).toThrow(message);
    const after = adam.stateDict();
    expect(after.json).toEqual(before.json);
    expect(Object.values(after.tensors).map((each) => each.toArray())).toEqual(values);
  });

  test('names all that is wrong at once', () => {
    const { tensors, json } = saved();
    const wrong = { '0.exp_avg': zeros([9]), '1.step': tensor(1), '7.exp_avg': tensors['0.exp_avg'] as Tensor };
    expect(() => new Adam(params(), { lr: 1 }).loadStateDict({ tensors: wrong, json })).toThrow(
      /0\.exp_avg: .*\n.*0\.exp_avg_sq: [\s\S]*1\.exp_avg: [\s\S]*7\.exp_avg: /,
    );
  });
});

test('LAMB moves weights that are 0, and leaves those whose update is 0', () => {
  const [still, moving] = [new Parameter(tensor([3, 4])), new Parameter(zeros([2]))];
  const lamb = new LAMB([still, moving], { lr: 0.1, weightDecay: 0, alwaysAdapt: true });
  still.grad = zeros([2]);
  moving.grad = ones([2]);
  lamb.step();
  expect(still).toBeAllclose([3, 4]);
  // Without a norm the ratio is 1: a step of Adam.
  expect(moving).toBeAllclose([-0.1, -0.1], { rtol: 1e-4 });
});

describe('settings of each optimizer', () => {
  const weight = new Parameter(tensor([1, 2]));
  test.each<[string, () => Optimizer, string]>([
    [
      'betas',
      () => new Adam([weight], { lr: 1, betas: [0.9, 1] }),
      'Adam: betas: expected two numbers from 0 to below 1, got [0.9, 1]',
    ],
    ['eps', () => new AdamW([weight], { lr: 1, eps: -1 }), 'AdamW: eps: expected a number from 0, got -1'],
    [
      'amsgrad',
      () => new AdamW([weight], { lr: 1, amsgrad: 1 as unknown as boolean }),
      'amsgrad: expected true or false, got 1',
    ],
    ['alpha', () => new RMSprop([weight], { lr: 1, alpha: 1 }), 'alpha: expected a number from 0 to below 1, got 1'],
    ['momentum', () => new RMSprop([weight], { lr: 1, momentum: -1 }), 'momentum: expected a number from 0, got -1'],
    ['maxGradNorm', () => new LAMB([weight], { lr: 1, maxGradNorm: 0 }), 'maxGradNorm: expected a number above 0'],
    [
      'two norms',
      () =>
        new LAMB([{ params: [weight] }, { params: [new Parameter(tensor([1]))], maxGradNorm: 2 }], {
          lr: 1,
        }),
      'LAMB: expected one maxGradNorm for all groups, got several',
    ],
    [
      'a word of another optimizer',
      () => new RMSprop([weight], { lr: 1, betas: [0, 0] } as unknown as { lr: number }),
      'betas: expected a setting of lr, alpha, eps, momentum, centered, weightDecay',
    ],
  ])('%s is an error', (_, create, message) => {
    expect(create).toThrow(ShallowsError);
    expect(create).toThrow(message);
  });

  test('a weightDecay that was set to what is no number stops the step before anything moves', () => {
    const adam = new Adam([weight], { lr: 1 });
    const [group] = adam.groups;
    if (group === undefined) throw new Error('no group');
    group.weightDecay = Number.NaN;
    weight.grad = tensor([1, 1]);
    expect(() => adam.step()).toThrow('Adam.step: expected a weightDecay from 0, got NaN');
    expect(weight).toBeAllclose([1, 2]);
  });
});
