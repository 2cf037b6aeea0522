import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  clearGrads,
  enableGrad,
  grad,
  gradsOf,
  noGrad,
  ones,
  scope,
  stats,
  type Tensor,
  TorchError,
  tensor,
  zeros,
} from './index.js';

// Made by autograd.fixture.py with PyTorch 2.13.
const fixture: {
  shapes: Record<string, number[]>;
  inputs: Record<string, number[]>;
  loss: number;
  gradients: Record<string, number[]>;
  second: number[];
} = JSON.parse(readFileSync(new URL('autograd.fixture.json', import.meta.url), 'utf8'));

const leaves = (): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(fixture.inputs).map(([name, values]) => [
      name,
      tensor(values)
        .reshape(fixture.shapes[name] as number[])
        .detach()
        .requiresGrad_(),
    ]),
  );

function lossOf({ image, kernel, scale, shift, weight, bias }: Record<string, Tensor>): Tensor {
  const x = (image as Tensor)
    .conv2d(kernel as Tensor, null, { padding: 1 })
    .batchNorm(null, null, { weight: scale as Tensor, bias: shift as Tensor, training: true })
    .relu();
  const pooled = x.maxPool2d(2).adaptiveAvgPool2d(1).flatten(1);
  return pooled.linear(weight as Tensor, bias as Tensor).crossEntropy(tensor([1n, 4n]));
}

describe('a small network', () => {
  test('has the loss and the gradients of PyTorch', () => {
    const parameters = leaves();
    const loss = lossOf(parameters);
    loss.backward();
    expect(loss).toBeAllclose(fixture.loss);
    for (const [name, leaf] of Object.entries(parameters)) {
      expect(leaf.grad?.flatten(), name).toBeAllclose(fixture.gradients[name] as number[], { rtol: 1e-4, atol: 1e-6 });
    }
  });

  test('grad gives the same without touching .grad', () => {
    const parameters = leaves();
    const gradients = grad(lossOf(parameters), Object.values(parameters));
    for (const [i, name] of Object.keys(parameters).entries()) {
      expect(gradients[i]?.flatten(), name).toBeAllclose(fixture.gradients[name] as number[], {
        rtol: 1e-4,
        atol: 1e-6,
      });
      expect(parameters[name]?.grad).toBeNull();
    }
  });

  test('a step in a scope leaves nothing but the gradients', () => {
    const parameters = leaves();
    const before = stats().liveTensors;
    scope(() => {
      lossOf(parameters).backward();
    });
    expect(stats().liveTensors).toBe(before);
    expect(parameters['bias']?.grad?.shape).toEqual([5]);
  });
});

describe('grad', () => {
  test('createGraph gives gradients to differentiate again', () => {
    const a = tensor([0.3, -0.7, 1.2], { requiresGrad: true });
    const [first] = grad(a.sin().mul(a.pow(3)).sum(), a, { createGraph: true });
    expect(first?.requiresGrad).toBe(true);
    const [second] = grad((first as Tensor).sum(), a);
    expect(second).toBeAllclose(fixture.second, { rtol: 1e-4 });
  });

  test('an input that is not used is an error, or null where that is allowed', () => {
    const [a, b] = [ones([1], { requiresGrad: true }), ones([1], { requiresGrad: true })];
    expect(() => grad(a.mul(2), [a, b])).toThrow(/allowUnused/);
    expect(grad(a.mul(2), [a, b], { allowUnused: true })[1]).toBeNull();
  });

  test('gradOutputs weigh the outputs', () => {
    const a = ones([2], { requiresGrad: true });
    const [g] = grad([a.mul(2), a.mul(3)], [a], { gradOutputs: [tensor([1, 10]), tensor([100, 1000])] });
    expect([...(g?.toArray() ?? [])]).toEqual([302, 3020]);
    expect(() => grad([a.mul(2)], [a])).toThrow(/reduce to a scalar first/);
    expect(() => grad([a.sum(), a.sum()], [a], { gradOutputs: [null] })).toThrow(/expected 2 gradOutputs/);
  });

  test('retainGraph allows a second pass, without it that is an error', () => {
    const a = ones([1], { requiresGrad: true });
    const out = a.exp();
    grad(out, a, { retainGraph: true });
    grad(out, a);
    expect(() => grad(out, a)).toThrow(/retainGraph/);
  });
});

describe('backward', () => {
  test('adds up, and gradients can be read, set and cleared', () => {
    const a = ones([2], { requiresGrad: true });
    a.mul(2).sum().backward();
    a.mul(3).sum().backward();
    expect([...(a.grad?.toArray() ?? [])]).toEqual([5, 5]);
    a.grad = tensor([1, 2]);
    expect([...(gradsOf([a])[0]?.toArray() ?? [])]).toEqual([1, 2]);
    clearGrads([a]);
    expect(a.grad).toBeNull();
    expect(() => {
      a.grad = zeros([3]);
    }).toThrow(/expected a gradient of shape \[2\]/);
  });

  test('takes the gradient of what is no scalar', () => {
    const a = ones([2], { requiresGrad: true });
    a.mul(2).backward(tensor([1, 10]));
    expect([...(a.grad?.toArray() ?? [])]).toEqual([2, 20]);
    expect(() => a.mul(2).backward()).toThrow(/reduce to a scalar first/);
    expect(() => zeros([1]).backward()).toThrow(/requiresGrad/);
  });
});

describe('noGrad', () => {
  const a = ones([1], { requiresGrad: true });
  const recorded = (): boolean => a.mul(2).requiresGrad;

  test('nests, and enableGrad turns recording on again inside', () => {
    expect(recorded()).toBe(true);
    noGrad(() => {
      expect(recorded()).toBe(false);
      noGrad(() => expect(recorded()).toBe(false));
      enableGrad(() => {
        expect(recorded()).toBe(true);
        noGrad(() => expect(recorded()).toBe(false));
        expect(recorded()).toBe(true);
      });
      expect(recorded()).toBe(false);
    });
    expect(recorded()).toBe(true);
  });

  test('ends with an exception too', () => {
    expect(() =>
      noGrad(() => {
        throw new Error('on purpose');
      }),
    ).toThrow('on purpose');
    expect(recorded()).toBe(true);
  });

  test('returns what the function returns', () => {
    expect(noGrad(() => 7)).toBe(7);
  });
});

test('requiresGrad can only be set where gradients can flow', () => {
  expect(() => tensor([1n], { requiresGrad: true })).toThrow(/floating point dtype, got int64/);
  const derived = ones([1], { requiresGrad: true }).mul(2);
  expect(derived.isLeaf).toBe(false);
  expect(() => {
    derived.requiresGrad = false;
  }).toThrow(TorchError);
});
