import { readFileSync } from 'node:fs';
import { type DType, fromTypedArray, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { trainingPass } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { alphaDrop, alphaDropout } from './alpha-dropout.js';
import { dropAndScale } from './apply.js';
import { dropBlockGamma, normaliseKept } from './drop-block.js';

interface Case {
  readonly kind: 'dropout' | 'alpha' | 'block';
  readonly shape: readonly number[];
  readonly p: number;
  readonly maskShape: readonly number[];
  readonly keep: readonly number[];
  readonly output: readonly number[];
  readonly gradInput: readonly number[];
}

const reference: {
  readonly cases: Record<string, Case>;
  readonly gammas: readonly {
    readonly p: number;
    readonly blockSize: number;
    readonly height: number;
    readonly width: number;
    readonly gamma: number;
  }[];
} = JSON.parse(readFileSync(new URL('fixtures/family.json', import.meta.url), 'utf8'));

/** The numbers of `values` in fixtures/family.py. */
function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 0.9995);
  return fromTypedArray(numbers, shape);
}

const apply = {
  dropout: dropAndScale,
  alpha: alphaDrop,
  block: (x: Tensor, keep: Tensor) => normaliseKept(x, keep, false),
};

const tolerances = [
  ['float64', { rtol: 1e-11, atol: 1e-12 }],
  ['float32', { rtol: 1e-6, atol: 1e-6 }],
] as const satisfies readonly (readonly [DType, object])[];

beforeAll(() => setNumThreads(1));

describe('the masks of PyTorch and torchvision give their outputs and gradients (fixtures/family.py)', () => {
  test.each(
    Object.entries(reference.cases).flatMap(([name, each]) =>
      tolerances.map(([dtype, close]) => [name, dtype, close, each] as const),
    ),
  )('%s, %s', (_, dtype, close, { kind, shape, p, maskShape, keep, output, gradInput }) => {
    scope(() => {
      const x = values(shape, 1).to(dtype);
      x.requiresGrad = true;
      const mask = fromTypedArray(Float64Array.from(keep), maskShape).to(dtype);
      const y = apply[kind](x, mask, p);
      expect(y.dtype).toBe(dtype);
      expect(y).toBeAllclose(output, close);
      y.backward(values(shape, 2).to(dtype));
      expect(x.grad).toBeAllclose(gradInput, close);
    });
  });

  test.each(['bfloat16', 'float16'] as const)('alpha dropout in half precision is rounded once, %s', (dtype) => {
    scope(() => {
      const x = values([400], 1).to(dtype);
      const y = alphaDropout(x, 0.3, trainingPass({ key: rootKey(1) }), { name: 'a' });
      // Of numbers around 0 what is dropped is the lowest, and the same everywhere.
      const keep = y.ne(y.amin()).to('float32');
      expect(y.equal(alphaDrop(x.to('float32'), keep, 0.3).to(dtype))).toBe(true);
    });
  });

  test.each(reference.gammas)('γ of DropBlock: %o', ({ p, blockSize, height, width, gamma }) => {
    expect(dropBlockGamma(p, blockSize, height, width)).toBeCloseTo(gamma, 14);
  });
});
