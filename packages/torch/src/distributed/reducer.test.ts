import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../../tests/support/ranks.js';
import {
  checkpoint,
  clearGrads,
  Generator,
  initProcessGroup,
  ops,
  type ProcessGroup,
  type Reducer,
  randn,
  scope,
  stats,
  type Tensor,
  tensor,
} from '../index.js';

let groups: ProcessGroup[];
beforeAll(async () => {
  const port = await freePort();
  const master = { host: '127.0.0.1', port };
  groups = await Promise.all([0, 1].map((rank) => initProcessGroup({ rank, size: 2, master, timeoutMs: 20_000 })));
});
afterAll(async () => {
  await Promise.all(groups.map((group) => group.close()));
});

/** A weight and a bias a layer, the same on both ranks. */
function makeParameters(layers: number): Tensor[] {
  const generator = new Generator('cpu', 3);
  return Array.from({ length: layers }, () => [
    randn([6, 6], { generator, requiresGrad: true }),
    randn([6], { generator, requiresGrad: true }),
  ]).flat();
}

const layer = (x: Tensor, weight: Tensor | undefined, bias: Tensor | undefined): Tensor =>
  ops.aten.tanh(ops.aten.linear(x, weight as Tensor, bias as Tensor)) as Tensor;

/** A loss through the given layers alone. */
function lossOf(parameters: readonly Tensor[], x: Tensor, layers: readonly number[]): Tensor {
  let y = x;
  for (const i of layers) y = layer(y, parameters[2 * i], parameters[2 * i + 1]);
  return y.pow(2).sum();
}

const rows = (seed: number): Tensor => randn([4, 6], { generator: new Generator('cpu', 100 + seed) });

/** Gradients of the sum of the losses, by plain autograd. */
function expected(
  steps: readonly (readonly [x: Tensor, layers: readonly number[]])[],
  layers: number,
): (number[] | null)[] {
  const parameters = makeParameters(layers);
  for (const [x, used] of steps) lossOf(parameters, x, used).backward();
  return values(parameters);
}

const values = (parameters: readonly Tensor[]): (number[] | null)[] =>
  parameters.map(({ grad }) => (grad === null ? null : [...grad.toArray()].map(Number)));

function expectSame(parameters: readonly Tensor[], wanted: readonly (readonly number[] | null)[]): void {
  for (const [i, got] of values(parameters).entries()) {
    const want = wanted[i];
    expect(got === null, `parameter ${i}`).toBe(want === null);
    for (const [j, value] of (got ?? []).entries()) expect(value).toBeCloseTo(want?.[j] ?? Number.NaN, 5);
  }
}

interface Ranks {
  readonly parameters: Tensor[][];
  readonly reducers: Reducer[];
}

function reducers(layers: number, options: Parameters<ProcessGroup['reducer']>[1] = {}): Ranks {
  const parameters = groups.map(() => makeParameters(layers));
  return { parameters, reducers: groups.map((group, rank) => group.reducer(parameters[rank] as Tensor[], options)) };
}

const pick = (parameters: readonly Tensor[] | undefined, layers: readonly number[]): Set<Tensor> =>
  new Set(layers.flatMap((i) => parameters?.slice(2 * i, 2 * i + 2) ?? []));

test('gradients become the sum over ranks, with the same bits on each', () => {
  const { parameters, reducers: own } = reducers(3, { bucketBytes: 100, firstBucketBytes: 20 });
  for (const rank of [0, 1]) {
    own[rank]?.beginStep();
    lossOf(parameters[rank] as Tensor[], rows(rank), [0, 1, 2]).backward();
  }
  for (const each of own) each.finishStep();
  expectSame(
    parameters[0] as Tensor[],
    expected(
      [
        [rows(0), [0, 1, 2]],
        [rows(1), [0, 1, 2]],
      ],
      3,
    ),
  );
  expect(values(parameters[0] as Tensor[])).toEqual(values(parameters[1] as Tensor[]));
  expect(own.map(({ bytesReduced }) => bytesReduced)).toEqual([504, 504]);
  // From the end: the last bias alone, then its weight, then twice a bias of 24 and a weight of 144 bytes.
  expect(own[0]?.buckets).toBe(4);
  for (const each of own) each.dispose();
});

test('what no rank runs is not sent and has no gradient; what one runs is sent, with zeros of the other', () => {
  const { parameters, reducers: own } = reducers(4);
  const runs = [
    [0, 2],
    [0, 1, 2],
  ];
  for (const rank of [0, 1]) {
    own[rank]?.beginStep({
      absent: pick(parameters[rank], [3]),
      localAbsent: pick(parameters[rank], rank === 0 ? [1] : []),
    });
    lossOf(parameters[rank] as Tensor[], rows(rank), runs[rank] ?? []).backward();
  }
  for (const each of own) each.finishStep();
  const wanted = expected(
    [
      [rows(0), [0, 2]],
      [rows(1), [0, 1, 2]],
    ],
    4,
  );
  expect(wanted[6]).toBeNull();
  for (const each of parameters) expectSame(each, wanted);
  expect(own[0]?.bytesReduced).toBe(3 * 42 * 4);
  for (const each of own) each.dispose();
});

test('a step where nothing has a gradient sends nothing', () => {
  const { parameters, reducers: own } = reducers(1);
  for (const rank of [0, 1]) own[rank]?.beginStep({ absent: new Set(parameters[rank]) });
  for (const each of own) each.finishStep();
  expect(own.map(({ bytesReduced, buckets }) => [bytesReduced, buckets])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  for (const each of own) each.dispose();
});

test('of an accumulation only the last pass sends, also what earlier ones left', () => {
  const { parameters, reducers: own } = reducers(3);
  for (const rank of [0, 1]) {
    const mine = parameters[rank] as Tensor[];
    lossOf(mine, rows(rank), [0, 1]).backward();
    // Layer 1 had its gradient before, and layer 2 gets one now.
    own[rank]?.beginStep({ localAbsent: pick(mine, [1]) });
    lossOf(mine, rows(10 + rank), [0, 2]).backward();
  }
  for (const each of own) each.finishStep();
  const wanted = expected(
    [0, 1].flatMap((rank) => [[rows(rank), [0, 1]] as const, [rows(10 + rank), [0, 2]] as const]),
    3,
  );
  for (const each of parameters) expectSame(each, wanted);
  for (const each of own) each.dispose();
});

test('a gradient that only earlier passes gave is sent at the end of the step', () => {
  const { parameters, reducers: own } = reducers(3);
  const last = [
    [0, 1, 2],
    [0, 1],
  ];
  for (const rank of [0, 1]) {
    const mine = parameters[rank] as Tensor[];
    lossOf(mine, rows(rank), [0, 1, 2]).backward();
    own[rank]?.beginStep();
    lossOf(mine, rows(10 + rank), last[rank] ?? []).backward();
  }
  // Rank 0 has sent all it has: waiting for it ends.
  own[1]?.finishStep();
  own[0]?.finishStep();
  const wanted = expected(
    [0, 1].flatMap((rank) => [[rows(rank), [0, 1, 2]] as const, [rows(10 + rank), last[rank] ?? []] as const]),
    3,
  );
  for (const each of parameters) expectSame(each, wanted);
  for (const each of own) each.dispose();
});

test('a checkpointed layer has its gradient once', () => {
  const { parameters, reducers: own } = reducers(2);
  for (const rank of [0, 1]) {
    const mine = parameters[rank] as Tensor[];
    own[rank]?.beginStep();
    const x = rows(rank);
    const inner = checkpoint(([input]) => layer(input as Tensor, mine[0], mine[1]), [x], mine.slice(0, 2));
    layer(inner, mine[2], mine[3]).pow(2).sum().backward();
  }
  for (const each of own) each.finishStep();
  const wanted = expected(
    [0, 1].map((rank) => [rows(rank), [0, 1]] as const),
    2,
  );
  for (const each of parameters) expectSame(each, wanted);
  for (const each of own) each.dispose();
});

test('gradients keep the memory layout of their parameters', () => {
  const make = (): Tensor => randn([4, 3, 2, 2], { generator: new Generator('cpu', 1) });
  const parameters = groups.map(() =>
    (ops.aten.contiguous(make(), { memoryFormat: 'channels_last' }) as Tensor).requiresGrad_(),
  );
  const own = groups.map((group, rank) => group.reducer([parameters[rank] as Tensor]));
  for (const rank of [0, 1]) {
    own[rank]?.beginStep(rank === 0 ? { localAbsent: new Set([parameters[0] as Tensor]) } : {});
    if (rank === 1) parameters[rank]?.pow(2).sum().backward();
  }
  for (const each of own) each.finishStep();
  for (const each of parameters) {
    expect(each.grad?.strides).toEqual(each.strides);
    expect(each.grad?.sub(make().mul(2)).abs().max().item()).toBe(0);
  }
  for (const each of own) each.dispose();
});

test('five hundred steps end with the tensors they began with', () => {
  const { parameters, reducers: own } = reducers(2);
  const step = (): void =>
    scope(() => {
      for (const rank of [0, 1]) {
        clearGrads(parameters[rank] as Tensor[]);
        own[rank]?.beginStep();
        lossOf(parameters[rank] as Tensor[], rows(rank), [0, 1]).backward();
      }
      for (const each of own) each.finishStep();
    });
  step();
  const before = stats().liveTensors;
  for (let i = 0; i < 500; i++) step();
  expect(stats().liveTensors).toBe(before);
  for (const each of own) each.dispose();
});

test('hooks of a reducer that is disposed are gone', () => {
  const { parameters, reducers: own } = reducers(1);
  own[0]?.beginStep({ absent: new Set(parameters[0]) });
  own[0]?.dispose();
  own[0]?.dispose();
  lossOf(parameters[0] as Tensor[], rows(0), [0]).backward();
  expect(() => own[0]?.beginStep()).toThrow('beginStep: expected an open reducer, got one that was closed');
  own[1]?.dispose();
});

test('gradients that do not come, or come unannounced, are errors that name the parameter', () => {
  const names = ['a.weight', 'a.bias', 'b.weight', 'b.bias'];
  const make = (): [Tensor[], Reducer] => {
    const parameters = makeParameters(2);
    return [parameters, (groups[0] as ProcessGroup).reducer(parameters, { names })];
  };
  const [missing, one] = make();
  one.beginStep();
  lossOf(missing, rows(0), [0]).backward();
  expect(() => one.finishStep()).toThrow(
    "finishStep: expected a gradient of every parameter that 'absent' and 'localAbsent' do not name, got none of 2: 'b.weight', float32[6, 6]; 'b.bias', float32[6] - name them",
  );
  const [unannounced, two] = make();
  two.beginStep({ absent: pick(unannounced, [1]) });
  expect(() => lossOf(unannounced, rows(0), [1]).backward()).toThrow(
    /backward: expected no gradient of 'b\.(weight|bias)', float32\[6(, 6)?\], as 'absent' of beginStep\(\) says, got one/,
  );
  expect(() => two.beginStep()).toThrow('beginStep: expected the step before to be finished, got another one');
  for (const each of [one, two]) each.dispose();
});

test('ranks that name other parameters as absent get an error', () => {
  const { parameters, reducers: own } = reducers(2);
  for (const rank of [0, 1]) {
    own[rank]?.beginStep({ absent: pick(parameters[rank], rank === 0 ? [] : [1]) });
    lossOf(parameters[rank] as Tensor[], rows(rank), rank === 0 ? [0, 1] : [0]).backward();
  }
  for (const each of own) {
    expect(() => each.finishStep()).toThrow(
      /finishStep: expected the same on all ranks, got finishStep of float32\[(84|42)\] here and something else on another - name the same parameters as absent on all ranks, in each step/,
    );
    each.dispose();
  }
});

test('mistakes', () => {
  const group = groups[0] as ProcessGroup;
  const [weight] = makeParameters(1) as [Tensor];
  expect(() => group.reducer([tensor([1])])).toThrow(
    'reducer: expected leaves that require a gradient, got parameter 0, float32[1]',
  );
  expect(() => group.reducer([weight.mul(2)])).toThrow('expected leaves that require a gradient');
  expect(() => group.reducer([weight, weight])).toThrow('reducer: expected each parameter once');
  expect(() => group.reducer([weight], { bucketBytes: 0 })).toThrow(
    'bucketBytes: expected a whole number from 1, got 0',
  );
  const reducer = group.reducer([weight]);
  expect(() => reducer.finishStep()).toThrow('finishStep: expected a step that was begun, got none');
  expect(() => reducer.beginStep({ absent: new Set([tensor([1])]) })).toThrow(
    'absent: expected parameters of the reducer, got another',
  );
  reducer.dispose();
});
