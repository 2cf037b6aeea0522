import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromTypedArray, loadSafetensors, saveSafetensors, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { Adam, AdamW, type Optimizer, Parameter, RMSprop, SGD } from '../../packages/shallows/src/nn/index.js';
import { values } from './hashed.js';

// SHALLOWS_PYTHON names a Python with PyTorch 2.13 and safetensors: then bits are compared, in float32, on this machine.
const python = process.env['SHALLOWS_PYTHON'];
const shapes = [[64, 3, 3, 3], [1000], [37, 19], [5]];

/** Hashed numbers of the shape of parameter `i`. */
function numbers(i: number, salt: number): Tensor {
  const shape = shapes[i] as number[];
  const count = shape.reduce((product, size) => product * size, 1);
  return fromTypedArray(values(count, salt, 2), shape, { dtype: 'float32' });
}

interface Case {
  readonly optimizer: string;
  /** In PyTorch's words. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly make: (params: Parameter[]) => Optimizer;
}

const cases: Record<string, Case> = {
  sgd: {
    optimizer: 'SGD',
    options: { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 1e-4 },
    make: (params) => new SGD(params, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 }),
  },
  'sgd-fused': {
    optimizer: 'SGD fused',
    options: { lr: 0.1, momentum: 0.9, weight_decay: 1e-4 },
    make: (params) => new SGD(params, { lr: 0.1, momentum: 0.9, weightDecay: 1e-4, fused: true }),
  },
  adam: {
    optimizer: 'Adam',
    options: { lr: 0.01, amsgrad: true, weight_decay: 1e-3 },
    make: (params) => new Adam(params, { lr: 0.01, amsgrad: true, weightDecay: 1e-3 }),
  },
  adamw: {
    optimizer: 'AdamW',
    options: { lr: 0.01, betas: [0.8, 0.95], weight_decay: 0.1 },
    make: (params) => new AdamW(params, { lr: 0.01, betas: [0.8, 0.95], weightDecay: 0.1 }),
  },
  rmsprop: {
    optimizer: 'RMSprop',
    options: { lr: 0.01, momentum: 0.9, centered: true, weight_decay: 1e-3 },
    make: (params) => new RMSprop(params, { lr: 0.01, momentum: 0.9, centered: true, weightDecay: 1e-3 }),
  },
};

function steps(optimizer: Optimizer, params: readonly Parameter[], first: number, last: number): void {
  for (let step = first; step < last; step++) {
    scope(() => {
      for (const [i, parameter] of params.entries()) {
        parameter.grad = numbers(i, 100 * step + i);
      }
      optimizer.step();
    });
  }
}

describe.skipIf(python === undefined)('against PyTorch running here, float32 (SHALLOWS_PYTHON)', () => {
  test('weights after 50 steps, and after 25 that PyTorch does from our state', { timeout: 120_000 }, async () => {
    setNumThreads(1);
    const folder = mkdtempSync(join(tmpdir(), 'shallows-'));
    try {
      const ended = new Map<string, readonly Parameter[]>();
      for (const [name, { make, ...others }] of Object.entries(cases)) {
        const params = shapes.map((_, i) => new Parameter(numbers(i, 7000 + i)));
        const optimizer = make(params);
        steps(optimizer, params, 0, 25);
        mkdirSync(join(folder, name));
        const { tensors, json } = optimizer.stateDict();
        const weights: [string, Tensor][] = params.map((each, i) => [`weight.${i}`, each]);
        await saveSafetensors(join(folder, name, 'middle.safetensors'), { ...tensors, ...Object.fromEntries(weights) });
        writeFileSync(join(folder, name, 'middle.json'), JSON.stringify({ ...others, json }));
        steps(optimizer, params, 25, 50);
        ended.set(name, params);
      }
      const script = fileURLToPath(new URL('optimizers.py', import.meta.url));
      const child = spawnSync(python as string, [script, folder], { encoding: 'utf8' });
      expect(child.status, child.stderr).toBe(0);
      for (const [name, params] of ended) {
        const { tensors } = await loadSafetensors(join(folder, name, 'result.safetensors'));
        for (const [i, parameter] of params.entries()) {
          for (const of of ['own', 'resumed']) {
            const different = parameter
              .ne(tensors[`${of}.${i}`] as Tensor)
              .sum()
              .item();
            expect(different, `${name}, weight ${i}, ${of}: elements that differ`).toBe(0);
          }
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
