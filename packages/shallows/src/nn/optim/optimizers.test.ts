import { readFileSync } from 'node:fs';
import { type DType, fromTypedArray, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  Adam,
  AdamW,
  type JsonObject,
  LAMB,
  type Optimizer,
  type OptimizerGroup,
  type OptimizerState,
  Parameter,
  RMSprop,
  SGD,
} from '../index.js';

type Nested = number | readonly Nested[];
interface Saved {
  readonly params: readonly Nested[];
  readonly tensors: Readonly<Record<string, Nested>>;
  readonly json: JsonObject;
}
interface Case {
  readonly optimizer: 'SGD' | 'Adam' | 'AdamW' | 'RMSprop' | 'Lamb';
  readonly groups: readonly JsonObject[];
  readonly parts: number;
  readonly float64: Saved & { readonly middle: Saved };
  readonly float32: readonly Nested[];
}

const reference: { readonly cases: Record<string, Case> } = JSON.parse(
  readFileSync(new URL('../fixtures/optimizers.json', import.meta.url), 'utf8'),
);
const cases = Object.entries(reference.cases);
const shapes = [[3], [2, 2], [], [1, 5], [21]];
const classes = { SGD, Adam, AdamW, RMSprop, Lamb: LAMB };

function values(shape: readonly number[], salt: number, dtype: DType): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape, { dtype });
}
const flat = (nested: Nested): number[] => (typeof nested === 'number' ? [nested] : nested.flatMap(flat));
const camelCase = (name: string): string => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());

interface Run {
  readonly params: readonly Parameter[];
  readonly optimizer: Optimizer;
}

/** The optimizer of a case, its parameters split as the script splits them. */
function make({ optimizer, groups, parts }: Case, start: readonly Tensor[]): Run {
  const params = start.map((each) => new Parameter(each));
  const settings = groups.map((group) =>
    Object.fromEntries(Object.entries(group).map(([name, value]) => [camelCase(name), value])),
  );
  const cut = groups.length === 1 ? params.length : 2;
  const own = params.map((each, i) => ({ params: [each], ...settings[i < cut ? 0 : 1] }));
  const whole = settings.map((each, i) => ({ params: i === 0 ? params.slice(0, cut) : params.slice(cut), ...each }));
  const listed = (parts === params.length ? own : whole) as OptimizerGroup<{ lr: number }>[];
  return { params, optimizer: new classes[optimizer](listed, { lr: 1 }) };
}

function steps({ params, optimizer }: Run, from: number, to: number, dtype: DType): void {
  const missing = (step: number, i: number): boolean =>
    (i === 1 && step % 3 === 0) || (i === 2 && step < 20) || (i === 3 && step >= 30);
  for (let step = from; step < to; step++) {
    scope(() => {
      for (const [i, parameter] of params.entries()) {
        parameter.grad = missing(step, i) ? null : values(shapes[i] as number[], 100 * step + i, dtype);
      }
      for (const group of optimizer.groups) group.lr = group.baseLr * (1 - step / 100);
      optimizer.step();
    });
  }
}

const begun = (each: Case, dtype: DType): Run =>
  make(
    each,
    shapes.map((shape, i) => values(shape, i, dtype)),
  );

function savedState(saved: Saved): OptimizerState {
  const tensors = Object.entries(saved.tensors).map(([key, value]): [string, Tensor] => {
    const shape = key.endsWith('.step') ? [] : (shapes[Number.parseInt(key, 10)] as number[]);
    return [key, fromTypedArray(Float64Array.from(flat(value)), shape)];
  });
  return { tensors: Object.fromEntries(tensors), json: saved.json };
}

beforeAll(() => setNumThreads(1));

describe('50 steps against PyTorch and timm (fixtures/optimizers.py)', () => {
  test.each(cases)('%s: weights in float64 and float32, and the state', (_, each) => {
    const wide = begun(each, 'float64');
    steps(wide, 0, 50, 'float64');
    const narrow = begun(each, 'float32');
    steps(narrow, 0, 50, 'float32');
    for (const [i, expected] of each.float64.params.entries()) {
      expect(wide.params[i], `${i}`).toBeAllclose(flat(expected), { rtol: 1e-13, atol: 1e-14 });
    }
    for (const [i, expected] of each.float32.entries()) {
      expect(narrow.params[i], `${i}`).toBeAllclose(flat(expected), { rtol: 1e-6, atol: 1e-6 });
    }
    const { tensors } = wide.optimizer.stateDict();
    // timm keeps its count of steps in the group.
    const own = Object.keys(tensors).filter((key) => each.optimizer !== 'Lamb' || !key.endsWith('.step'));
    expect(own.toSorted()).toEqual(Object.keys(each.float64.tensors).toSorted());
    for (const [key, value] of Object.entries(each.float64.tensors)) {
      expect(tensors[key], key).toBeAllclose(flat(value), { rtol: 1e-12, atol: 1e-13 });
    }
  });

  test.each(cases)('%s: goes on from the state that PyTorch saved after 25 steps', (_, each) => {
    const { middle, params } = each.float64;
    const run = make(
      { ...each, groups: each.groups.map(() => ({ lr: 9 })) },
      middle.params.map((value, i) => fromTypedArray(Float64Array.from(flat(value)), shapes[i] as number[])),
    );
    run.optimizer.loadStateDict(savedState(middle));
    steps(run, 25, 50, 'float64');
    for (const [i, expected] of params.entries()) {
      expect(run.params[i], `${i}`).toBeAllclose(flat(expected), { rtol: 1e-13, atol: 1e-14 });
    }
  });
});

test.each(cases)('%s: saved and loaded in the middle it goes on bit by bit, under other settings too', (_, each) => {
  const whole = begun(each, 'float32');
  steps(whole, 0, 50, 'float32');
  const first = begun(each, 'float32');
  steps(first, 0, 31, 'float32');
  const { tensors, json } = first.optimizer.stateDict();
  const second = make({ ...each, groups: each.groups.map(() => ({ lr: 9 })) }, first.params);
  second.optimizer.loadStateDict({ tensors, json: JSON.parse(JSON.stringify(json)) });
  first.optimizer.dispose();
  steps(second, 31, 50, 'float32');
  for (const [i, parameter] of whole.params.entries()) {
    expect(second.params[i]?.toBytes(), `${i}`).toEqual(parameter.toBytes());
  }
  expect(second.optimizer.stateDict().json).toEqual(whole.optimizer.stateDict().json);
});
