import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type DType, fromBytes, functional, isTensor, linalg, type Tensor } from '../index.js';

interface Packed {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: string;
}

interface Case {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly outputs: readonly (Packed | number | boolean)[];
}

// Made by parity.fixture.py with PyTorch 2.13.
const { inputs, cases }: { inputs: Record<string, Packed>; cases: Case[] } = JSON.parse(
  readFileSync(new URL('parity.fixture.json', import.meta.url), 'utf8'),
);

const unpack = ({ dtype, shape, bytes }: Packed): Tensor => fromBytes(Buffer.from(bytes, 'base64'), dtype, shape);

function resolve(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolve);
  if (typeof value === 'object' && value !== null && 'tensor' in value) {
    return unpack(inputs[String(value.tensor)] as Packed);
  }
  return value;
}

type AnyFunction = (...args: unknown[]) => unknown;

function find(name: string): AnyFunction {
  const table: object = name.startsWith('linalg.') ? linalg : functional;
  const found: unknown = Reflect.get(table, name.replace('linalg.', ''));
  expect(typeof found, `${name} is in the table`).toBe('function');
  return found as AnyFunction;
}

const text = (value: unknown): string => JSON.stringify(value).replaceAll('{"tensor":"', '').replaceAll('"}', '');

describe('operators give what they give in PyTorch', () => {
  test.each(
    cases.map((each) => [`${each.name}(${text(each.args).slice(1, -1)}) ${text(each.options)}`, each] as const),
  )('%s', (_, { name, args, options, outputs }) => {
    const keywords = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, resolve(value)]));
    const given = args.map(resolve);
    if (Object.keys(keywords).length > 0) given.push(keywords);
    const result = find(name)(...given);
    const list = Array.isArray(result) ? result : [result];
    for (const [i, want] of outputs.entries()) {
      const got: unknown = list[i];
      if (typeof want !== 'object') {
        expect(got).toBe(want);
        continue;
      }
      expect(isTensor(got)).toBe(true);
      const tensor = got as Tensor;
      expect(tensor.dtype).toBe(want.dtype);
      expect(tensor.shape).toEqual(want.shape);
      expect(tensor).toBeAllclose(unpack(want), { rtol: 2e-5, atol: 2e-6 });
    }
  });

  test('the sample is broad', () => {
    const covered = new Set(cases.map((each) => each.name));
    const missing = Object.keys(functional).filter((name) => !covered.has(name));
    expect(covered.size).toBeGreaterThan(240);
    expect(missing.length).toBeLessThan(60);
  });
});
