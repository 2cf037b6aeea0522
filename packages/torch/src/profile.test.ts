import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ones, profile, scope, type Tensor, TorchError, zeros } from './index.js';

// Made by profile.fixture.py with torch.profiler.
const { calls }: { readonly calls: Readonly<Record<string, number>> } = JSON.parse(
  readFileSync(new URL('profile.fixture.json', import.meta.url), 'utf8'),
);

function network(): Tensor {
  const x = ones([8, 3, 16, 16]);
  const w = ones([4, 3, 3, 3]).requiresGrad_();
  const v = ones([5, 4]).requiresGrad_();
  const y = x.conv2d(w, null, { padding: 1 }).relu();
  y.mean([2, 3]).linear(v).sum().backward();
  return w;
}

test('counts the operators that torch.profiler counts, forward and backward', () => {
  scope(() => {
    const { operators } = profile(network);
    const own = Object.fromEntries(operators.map((each) => [each.name, each.calls]));
    const passes = Object.keys(calls).filter((name) => /Backward|conv|relu|clamp|linear|mean|mm$/.test(name));
    expect(passes.length).toBeGreaterThan(15);
    for (const name of passes) expect([name, own[name]]).toEqual([name, calls[name]]);
  });
});

test('times lie within each other, and within the time of the function', () => {
  scope(() => {
    const { operators, ms } = profile(network);
    for (const { name, selfMs, totalMs } of operators) {
      expect(selfMs, name).toBeGreaterThanOrEqual(0);
      expect(totalMs, name).toBeGreaterThanOrEqual(selfMs - 1e-9);
      expect(totalMs, name).toBeLessThanOrEqual(ms);
    }
    expect(operators.reduce((sum, { selfMs }) => sum + selfMs, 0)).toBeLessThanOrEqual(ms);
    const own = operators.map(({ selfMs }) => selfMs);
    expect(own).toEqual(own.toSorted((a, b) => b - a));
    const [outer, inner] = ['aten::conv2d', 'aten::convolution'].map((name) => operators.find((o) => o.name === name));
    expect(outer?.totalMs).toBeGreaterThan(inner?.totalMs ?? Number.NaN);
  });
});

test('gives what the function returned, and only what was called in it', () => {
  scope(() => {
    zeros([2]).add(1);
    const { result, operators } = profile(() => ones([3]).mul(2));
    expect(result.toArray()).toEqual(new Float32Array([2, 2, 2]));
    expect(operators.find(({ name }) => name === 'aten::mul')?.calls).toBe(1);
    expect(operators.some(({ name }) => name === 'aten::add')).toBe(false);
  });
});

test('is over where the function throws, and throws the same', () => {
  const failure = new RangeError('mine');
  expect(() =>
    profile(() => {
      throw failure;
    }),
  ).toThrow(failure);
  expect(profile(() => 1).result).toBe(1);
});

test('refuses a profile within a profile, which goes on, and a promise', () => {
  const { operators } = profile(() => {
    expect(() => profile(() => 1)).toThrow(TorchError);
    expect(() => profile(() => 1)).toThrow(/^profile: expected no profile under way in this process, got one/);
    scope(() => void ones([2]).add(1));
  });
  expect(operators.find(({ name }) => name === 'aten::add')?.calls).toBe(1);
  expect(() => profile(async () => 1)).toThrow(
    /^profile: expected a function that is done when it returns, got a promise/,
  );
});
