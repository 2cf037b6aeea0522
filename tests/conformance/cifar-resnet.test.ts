import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFastKernels, setNumThreads } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Case, run } from './cifar-case.js';
import { sketch } from './hashed.js';
import { readNpy } from './npy.js';

interface Reference {
  readonly steps: number;
  readonly drop: number;
  readonly size: number;
  readonly batch: number;
  readonly cases: readonly (Case & { readonly sketches: Readonly<Record<string, readonly number[]>> })[];
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const reference = JSON.parse(readFileSync(here('cifar-resnet.json'), 'utf8')) as Reference;

/** The largest difference, as a share of the norm that stands first in a sketch. */
function sketchDistance(got: readonly number[], expected: readonly number[]): number {
  const norm = Math.max(expected[0] as number, 1e-30);
  return Math.max(...expected.map((each, i) => Math.abs(each - (got[i] as number)))) / norm;
}

/** |got − expected| / |expected|, in the Euclidean norm. */
function distance(got: ArrayLike<number | bigint>, expected: ArrayLike<number | bigint>): number {
  let [squares, norm] = [0, 1e-60];
  for (let i = 0; i < expected.length; i++) {
    squares += (Number(got[i]) - Number(expected[i])) ** 2;
    norm += Number(expected[i]) ** 2;
  }
  return got.length === expected.length ? Math.sqrt(squares / norm) : Number.NaN;
}

describe('against PyTorch, float64', () => {
  test.each(reference.cases)('$name: logits, loss, gradients and weights after SGD', (each) => {
    setNumThreads(2);
    const got = run(each, { dtype: 'float64', ...reference });
    expect([...got.keys()].toSorted()).toEqual(Object.keys(each.sketches).toSorted());
    for (const [name, expected] of Object.entries(each.sketches)) {
      expect(sketchDistance(sketch(got.get(name) ?? []), expected), name).toBeLessThan(1e-8);
    }
  });
});

describe('float32, against float64', () => {
  test.each(reference.cases)("$name: fused batch norm is no further off than libtorch's", (each) => {
    setNumThreads(2);
    const setting = { size: 32, batch: 16, steps: 0, drop: reference.drop };
    const exact = run(each, { ...setting, dtype: 'float64' });
    const off = (fused: boolean): Map<string, number> => {
      setFastKernels(fused);
      try {
        const got = run(each, { ...setting, dtype: 'float32' });
        return new Map(Array.from(exact, ([name, wanted]) => [name, distance(got.get(name) ?? [], wanted)]));
      } finally {
        setFastKernels(true);
      }
    };
    const [ours, theirs] = [off(true), off(false)];
    const mean = (distances: ReadonlyMap<string, number>): number => {
      const gradients = [...distances].filter(([name]) => name.startsWith('grad.')).map(([, far]) => Math.log(far));
      return Math.exp(gradients.reduce((sum, far) => sum + far, 0) / gradients.length);
    };
    // A rounding that turns one relu around moves gradients of deep networks a hundredfold, on either side.
    expect(mean(ours)).toBeLessThan(100 * mean(theirs));
    expect(ours.get('logits')).toBeLessThan(3 * (theirs.get('logits') as number) + 1e-6);
    console.info(`${each.name}: off by ${mean(ours).toExponential(1)}, libtorch's by ${mean(theirs).toExponential(1)}`);
  });
});

// SHALLOWS_PYTHON names a Python with PyTorch 2.13: then every element is compared, in float32, on this machine.
const python = process.env['SHALLOWS_PYTHON'];

describe.skipIf(python === undefined)('against PyTorch running here, float32 (SHALLOWS_PYTHON)', () => {
  // A deep network in float32 multiplies single roundings a thousandfold: with libtorch's loops there are none.
  beforeAll(() => void setFastKernels(false));
  afterAll(() => void setFastKernels(true));

  test('every element of ResNet-20 and ResNet-110, plain and with dropped blocks', { timeout: 900_000 }, () => {
    setNumThreads(2);
    const folder = mkdtempSync(join(tmpdir(), 'shallows-'));
    try {
      const child = spawnSync(python as string, [here('cifar_resnet.py'), '--live', folder], { encoding: 'utf8' });
      expect(child.status, child.stderr).toBe(0);
      for (const each of reference.cases) {
        const got = run(each, { dtype: 'float32', size: 32, batch: 16, steps: reference.steps, drop: reference.drop });
        const files = readdirSync(join(folder, each.name)).map((file) => file.replace(/\.npy$/, ''));
        expect([...got.keys()].toSorted()).toEqual(files.toSorted());
        let worst = 0;
        for (const name of files) {
          const far = distance(got.get(name) ?? [], readNpy(join(folder, each.name, `${name}.npy`)));
          worst = Math.max(worst, far);
          expect(far, `${each.name} ${name}`).toBeLessThan(1e-5);
        }
        console.info(`${each.name}: ${files.length} tensors, largest relative difference ${worst.toExponential(1)}`);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
