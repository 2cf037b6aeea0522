import { type DType, fromTypedArray, grad, ones, ops, scope, type Tensor, tensor, trace } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { type Pass, trainingPass } from '../../nn/pass.js';
import { uniforms } from '../../random/index.js';
import { rootKey } from '../../random/key.js';
import { drawPlan, fixedPlan } from '../plan/plan.js';
import { withPlan } from '../plan/planned-pass.js';
import type { Rows } from '../plan/rows.js';
import { applyPolicy } from '../policy/apply-policy.js';
import { Policy, type PolicyOptions } from '../policy/policy.js';
import { type ResidualBlock, Site } from '../policy/site.js';
import { DepthLedger } from '../proof/ledger.js';
import { residual } from './residual.js';

const key = rootKey(3);
const values = (x: Tensor | null): number[] | null => x && Array.from(x.toArray(), Number);

function made(shape: readonly number[], salt: number, dtype: DType = 'float64'): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const x = fromTypedArray(
    uniforms(rootKey(salt), count).map((u) => 2 * u - 1),
    shape,
    { dtype },
  );
  x.requiresGrad = true;
  return x;
}

/** tanh(x) · weight (+ extra), one row at a time. */
class Rowwise implements ResidualBlock {
  readonly site = new Site('rowwise');
  readonly weight: Tensor;
  seen: (readonly number[])[] = [];

  constructor(weight: Tensor) {
    this.weight = weight;
  }

  branch(x: Tensor, _pass: Pass, [extra = null]: readonly (Tensor | null)[]): Tensor {
    this.seen.push(x.shape);
    const y = x.tanh().mul(this.weight);
    return extra === null ? y : y.add(extra);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

function pass(block: ResidualBlock, rows: Rows, options: PolicyOptions = {}): Pass {
  block.site.name = 'block';
  const policy = Policy({ drop: 0.5, schedule: 'uniform', unit: 'row', ...options });
  return withPlan(trainingPass({ key }), fixedPlan(policy, applyPolicy([block.site], policy), [], { block: rows }));
}

/** Outputs and the gradients of input, weight and extra. */
function run(block: Rowwise, x: Tensor, each: Pass, extra: Tensor | null = null): (number[] | null)[] {
  return scope(() => {
    const y = residual(block, x, each, [extra]);
    const inputs = [x, block.weight, ...(extra === null ? [] : [extra])];
    const upstream = made(y.shape, 99, y.dtype).detach();
    return [values(y), ...grad([y.mul(upstream).sum()], inputs, { allowUnused: true }).map((each) => values(each))];
  });
}

const choices: readonly (readonly [string, Rows])[] = [
  ['a window at the start', { of: 5, start: 0, length: 3 }],
  ['a window in the middle', { of: 5, start: 1, length: 2 }],
  ['a window at the end', { of: 5, start: 2, length: 3 }],
  ['one row', { of: 5, start: 4, length: 1 }],
  ['all rows', { of: 5, start: 0, length: 5 }],
  ['no row', { of: 5, start: 2, length: 0 }],
  ['some rows', { of: 5, index: [0, 2, 3] }],
  ['one listed row', { of: 5, index: [4] }],
  ['all listed rows', { of: 5, index: [0, 1, 2, 3, 4] }],
  ['no listed row', { of: 5, index: [] }],
];

describe.each([[5], [5, 3], [5, 2, 3], [5, 3, 4, 2], [5, 2, 3, 2, 2]])('a batch of shape %j', (...shape) => {
  test.each(choices)('%s: subset gives what mask gives, gradients too', (_, rows) => {
    scope(() => {
      const weight = made(shape.slice(-1).length === shape.length ? [1] : shape.slice(-1), 2);
      const block = new Rowwise(weight);
      const x = made(shape, 1);
      const extra = made([5, ...shape.slice(1).map(() => 1)], 4);
      const masked = run(block, x, pass(block, rows, { execution: 'mask' }), extra);
      const subset = run(block, x, pass(block, rows, { execution: 'subset' }), extra);
      const kept = 'index' in rows ? rows.index.length : rows.length;
      const [y, gx, gw, ge] = subset;
      expect(y).toBeAllclose(masked[0] as number[], { rtol: 1e-14 });
      expect(gx).toBeAllclose(masked[1] as number[], { rtol: 1e-13 });
      // A branch that never ran leaves its parameters without gradient.
      if (kept === 0) expect([gw, ge]).toEqual([null, null]);
      else {
        expect(gw).toBeAllclose(masked[2] as number[], { rtol: 1e-13, atol: 1e-14 });
        expect(ge).toBeAllclose(masked[3] as number[], { rtol: 1e-13, atol: 1e-14 });
      }
      expect(block.seen).toEqual([shape, ...(kept === 0 ? [] : [[kept, ...shape.slice(1)]])]);
    });
  });
});

test('a kept row is shortcut + scale · branch, a dropped one the shortcut, and gradients follow', () => {
  scope(() => {
    const weight = tensor([2, 3], { requiresGrad: true });
    class Linear extends Rowwise {
      override branch(x: Tensor): Tensor {
        return x.mul(this.weight);
      }
    }
    const block = new Linear(weight);
    const x = tensor(
      [
        [1, 1],
        [10, 10],
        [100, 100],
      ],
      { requiresGrad: true },
    );
    for (const rows of [
      { of: 3, index: [0, 2] },
      { of: 3, start: 1, length: 1 },
    ] as Rows[]) {
      const y = residual(block, x, pass(block, rows));
      const keptIs = (row: number): boolean => ('index' in rows ? rows.index.includes(row) : row === 1);
      const expected = [1, 10, 100].flatMap((v, row) => (keptIs(row) ? [v + 2 * 2 * v, v + 2 * 3 * v] : [v, v]));
      expect(values(y)).toEqual(expected);
      const [gx] = grad([y.sum()], [x]);
      expect(values(gx ?? null)).toEqual([0, 1, 2].flatMap((row) => (keptIs(row) ? [5, 7] : [1, 1])));
    }
  });
});

test('what is not finite in a dropped row stays out of values and gradients, also under mask', () => {
  scope(() => {
    const block = new Rowwise(tensor([1, 1], { requiresGrad: true }));
    block.branch = (x) => x.reciprocal().mul(block.weight);
    const x = tensor(
      [
        [0, 0],
        [2, 4],
      ],
      { requiresGrad: true },
    );
    for (const execution of ['mask', 'subset'] as const) {
      const y = residual(block, x, pass(block, { of: 2, index: [1] }, { execution }));
      expect(values(y), execution).toEqual([0, 0, 2 + 2 * 0.5, 4 + 2 * 0.25]);
      const [gx, gw] = grad([y.sum()], [x, block.weight]);
      if (execution === 'subset') {
        expect(values(gx ?? null)).toEqual([1, 1, 1 - 2 * 0.25, 1 - 2 * 0.0625]);
        expect(values(gw ?? null)).toEqual([1, 0.5]);
      }
    }
  });
});

describe('dtypes', () => {
  test.each(['float32', 'float16', 'bfloat16'] as const)('%s stays, and the scale is not rounded to it', (dtype) => {
    scope(() => {
      const block = new Rowwise(ones([1], { dtype }));
      block.branch = (x) => ops.aten.full_like(x, 7);
      const x = ops.aten.zeros([4, 8], { dtype });
      // 7/0.9 is 7.778, in bfloat16 7.78125; with 1/0.9 rounded to it first, 7.75.
      const once = Number(
        tensor([7 / 0.9])
          .to({ dtype })
          .toArray()[0],
      );
      for (const rows of [
        { of: 4, index: [1] },
        { of: 4, start: 1, length: 1 },
      ] as Rows[]) {
        for (const execution of ['mask', 'subset'] as const) {
          const y = residual(block, x, pass(block, rows, { drop: 0.1, execution }));
          expect(y.dtype).toBe(dtype);
          expect(values(y)?.filter((each) => each !== 0)).toBeAllclose(new Array(8).fill(once), { rtol: 2e-7 });
        }
      }
    });
  });

  test.each(['float16', 'bfloat16'] as const)('%s: the scale of a whole block is not rounded either', (dtype) => {
    scope(() => {
      const block = new Rowwise(ones([1], { dtype }));
      block.branch = (x) => ops.aten.full_like(x, 7);
      block.site.name = 'block';
      const policy = Policy({ drop: 0.1, schedule: 'uniform' });
      const each = withPlan(trainingPass({ key }), fixedPlan(policy, applyPolicy([block.site], policy), []));
      const once = Number(
        tensor([7 / 0.9])
          .to({ dtype })
          .toArray()[0],
      );
      expect(values(residual(block, ops.aten.zeros([4], { dtype }), each))).toEqual(new Array(4).fill(once));
    });
  });

  test('a branch in lower precision is added to its shortcut in full', () => {
    scope(() => {
      const block = new Rowwise(ones([1]));
      block.branch = (x) => x.to('bfloat16');
      const x = tensor([[1.5], [2.5]]);
      for (const rows of [
        { of: 2, index: [1] },
        { of: 2, start: 1, length: 1 },
      ] as Rows[]) {
        for (const execution of ['mask', 'subset'] as const) {
          const y = residual(block, x, pass(block, rows, { execution }));
          expect([y.dtype, values(y)]).toEqual(['float32', [1.5, 7.5]]);
        }
      }
    });
  });
});

describe('batch norm in a branch', () => {
  test('takes and moves the statistics of the kept rows under subset, of all under mask, of none when dropped', () => {
    scope(() => {
      const statistics = (rows: Rows, execution: 'mask' | 'subset'): number[] | null => {
        const mean = tensor([0]);
        const block = new Rowwise(ones([1]));
        block.branch = (x, each) =>
          ops.aten.batch_norm(x, null, null, mean, ones([1]), each.training, 1, 1e-5, false) as Tensor;
        residual(block, tensor([[1], [2], [6]]), pass(block, rows, { execution }));
        return values(mean);
      };
      expect(statistics({ of: 3, start: 1, length: 2 }, 'subset')).toEqual([4]);
      expect(statistics({ of: 3, index: [0, 2] }, 'subset')).toEqual([3.5]);
      expect(statistics({ of: 3, index: [0, 2] }, 'mask')).toEqual([3]);
      expect(statistics({ of: 3, index: [] }, 'subset')).toEqual([0]);
    });
  });
});

test('the backward of a window makes no batch of zeros', () => {
  scope(() => {
    const block = new Rowwise(made([4], 2));
    const x = made([6, 4], 1);
    const { calls } = trace(() => residual(block, x, pass(block, { of: 6, start: 1, length: 3 })));
    expect(calls.map(({ op }) => op)).toEqual([
      'shallows::fork_window',
      'aten::tanh',
      'aten::mul',
      'shallows::join_window',
    ]);
    expect(calls[0]?.outputs[0]?.shape).toEqual([3, 4]);
  });
});

test('the ledger counts rows', () => {
  const block = new Rowwise(ones([1]));
  block.site.name = 'block';
  const policy = Policy({ drop: 0.3, schedule: 'uniform', unit: 'row' });
  const sites = applyPolicy([block.site], policy);
  const ledger = new DepthLedger();
  for (let step = 0; step < 200; step++) {
    const each = withPlan(trainingPass({ key }), drawPlan(policy, sites, { key, step, rows: 10 }));
    scope(() => residual(block, ones([10, 2]), each));
    expect(ledger.record(each).active).toBe(0.7);
  }
  const [site] = ledger.report().sites;
  expect(site).toMatchObject({ requested: 0.3, realised: 0.3, opportunities: 2000, dropped: 600, alarm: false });
});

describe('what must not be silent', () => {
  test('a plan for another number of rows', () => {
    const block = new Rowwise(ones([1]));
    const each = pass(block, { of: 3, start: 0, length: 2 });
    expect(() => residual(block, ones([4, 2]), each)).toThrow("expected 3 rows at the site 'block'");
    expect(() => residual(block, ones([]), each)).toThrow('got a tensor without rows');
  });

  test('a branch that returns other rows than it was given', () => {
    const block = new Rowwise(ones([1]));
    block.branch = () => ones([3, 2]);
    const each = pass(block, { of: 3, start: 0, length: 2 });
    expect(() => residual(block, ones([3, 2]), each)).toThrow('to be [2, 2], got [3, 2]');
  });
});
