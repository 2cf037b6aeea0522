import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type DType, fromBytes, ops, type Tensor, tensor, trace } from '../index.js';

interface Case {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: string;
  readonly text: string;
  readonly then?: string;
}

// Made by print.fixture.py with PyTorch 2.13.
const cases: Case[] = JSON.parse(readFileSync(new URL('print.fixture.json', import.meta.url), 'utf8'));

const steps: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  requiresGrad: (x) => x.requiresGrad_(),
  sum: (x) => x.requiresGrad_().sum(),
  mul_: (x) => x.requiresGrad_().clone().mul_(2),
  relu: (x) => x.requiresGrad_().relu(),
  suffix: (x) => x.requiresGrad_().mul(1.001).double(),
  meta: (x) => x.to('meta'),
  sparse: (x) => ops.aten.to_sparse(x),
};

describe('a tensor prints as in PyTorch', () => {
  test.each(cases)('$name', ({ dtype, shape, bytes, text, then }) => {
    const plain = fromBytes(Buffer.from(bytes, 'base64'), dtype, shape);
    const made = then === undefined ? plain : (steps[then]?.(plain) ?? plain);
    expect(String(made)).toBe(text);
    expect(inspect(made)).toBe(text);
  });
});

test('inside other values the lines are indented', () => {
  expect(inspect({ x: tensor([[1, 2]]), y: [tensor(3)] })).toBe('{ x: tensor([[1., 2.]]), y: [ tensor(3.) ] }');
});

test('a disposed tensor prints too', () => {
  const x = tensor([1]);
  x.dispose();
  expect(String(x)).toBe('tensor(<disposed>)');
});

test('printing records nothing and keeps nothing', () => {
  const x = tensor([1, 2, 3]);
  expect(trace(() => String(x)).calls).toEqual([]);
});
