import { rand, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { family, type Member } from '../../../../tests/support/dropout-family.js';
import { rowKeysSlot, trainingPass } from '../nn/index.js';
import { deriveKey, generator, rootKey } from '../random/index.js';
import { dropBlockGamma } from './drop-block.js';
import { Dropout, dropout } from './index.js';

// Bounds hold 99.9 % of right draws: with another seed each of the 400 checks fails once in a thousand times, so that one of
// three seeds has a check that fails.
const Z = 3.2905;
const rates = [0.001, 0.01, 0.1, 0.3, 0.5, 0.9];
const dtypes = ['float32', 'float16', 'bfloat16'] as const;
const DECISIONS = 40_000;
const BLOCK = 3;
const key = rootKey(20140616);

const numbers = (x: Tensor): number[] => Array.from(x.to('float64').toArray(), Number);

/** What a pass drops of numbers above 0: 1 where it is dropped, in the shape of y; checked to be the same along what is shared. */
function droppedBy({ shared }: Member, y: Tensor): Tensor {
  // What alpha dropout puts there is below 0, what it keeps of such numbers is not.
  let dropped = y.le(0).to('float32');
  for (const dim of shared) {
    const [most, least] = [dropped.amax([dim], { keepdim: true }), dropped.amin([dim], { keepdim: true })];
    expect(most.sub(least).sum().item()).toBe(0);
    dropped = dropped.narrow(dim, 0, 1);
  }
  return dropped;
}

/** How many standard errors a count of rare events is off. */
function off(count: number, p: number, n: number): number {
  return Math.abs(count - n * p) / Math.sqrt(n * p * (1 - p));
}

beforeAll(() => setNumThreads(1));

describe.each(family.filter(({ drops }) => drops).map((member) => [member.kind, member] as const))(
  '%s',
  (kind, member) => {
    const { shape } = member.many(DECISIONS);
    const block = kind === 'drop-block2d';

    test.each(dtypes.flatMap((dtype) => rates.map((rate) => [dtype, rate] as const)))(
      'drops what it should, %s, rate %s',
      (dtype, rate) => {
        scope(() => {
          const own = deriveKey(key, kind, dtype, String(rate));
          const x = rand(shape, { generator: generator(own) })
            .add(0.5)
            .to(dtype);
          const y = member.run(member.make(rate, 'place'), x, trainingPass({ key: own }));
          const dropped = droppedBy(member, y);
          if (!block) {
            expect(dropped.numel).toBe(DECISIONS);
            expect(off(dropped.sum().item(), rate, DECISIONS)).toBeLessThan(Z);
            return;
          }
          // The pixel in the middle of 5 × 5 is in each of the nine squares; every map has its own.
          const middle = dropped.narrow(2, 2, 1).narrow(3, 2, 1);
          const gone = 1 - (1 - dropBlockGamma(rate, BLOCK, 5, 5)) ** 9;
          expect(off(middle.sum().item(), gone, DECISIONS)).toBeLessThan(Z);
        });
      },
    );

    test.runIf(!block)('decisions do not depend on their neighbours, on other places, calls or steps', () => {
      scope(() => {
        const x = rand(shape, { generator: generator(key) }).add(0.5);
        const flags = (name: string, step: number, call = 0): number[] => {
          const pass = trainingPass({ key: deriveKey(key, 'step', step) });
          for (let i = 0; i < call; i++) member.run(member.make(0.5, name), x, pass);
          return numbers(droppedBy(member, member.run(member.make(0.5, name), x, pass)).reshape([-1]));
        };
        const first = flags('a', 0);
        const pairs: [string, number[]][] = [
          ['the next', [...first.slice(1), first[0] ?? 0]],
          ['one hundred on', [...first.slice(100), ...first.slice(0, 100)]],
          ['another place', flags('b', 0)],
          ['another step', flags('a', 1)],
          ['another call', flags('a', 0, 1)],
        ];
        for (const [what, other] of pairs) {
          const equal = first.filter((flag, i) => flag === other[i]).length;
          expect(off(equal, 0.5, DECISIONS), what).toBeLessThan(Z);
        }
      });
    });
  },
);

describe('means and variances', () => {
  const inverted = family.filter(({ scale }) => scale !== null);

  test.each(inverted.flatMap((member) => dtypes.map((dtype) => [member.kind, dtype, member] as const)))(
    '%s, %s: the mean is that of x',
    (kind, dtype, member) => {
      for (const rate of [0.1, 0.5, 0.9]) {
        scope(() => {
          const own = deriveKey(key, 'mean', kind, dtype, String(rate));
          const { shape, each } = member.many(DECISIONS);
          const x = rand(shape, { generator: generator(own) })
            .add(0.5)
            .to(dtype);
          const y = member.run(member.make(rate, 'place'), x, trainingPass({ key: own }));
          const values = numbers(x);
          const square = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
          const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
          // Numbers that share a decision vary together: as if each were the sum of its group.
          const spread = Math.sqrt(((square + (each - 1) * mean ** 2) * rate) / (1 - rate) / values.length);
          const got = numbers(y).reduce((sum, value) => sum + value, 0) / values.length;
          expect(Math.abs(got - mean) / spread).toBeLessThan(Z);
        });
      }
    },
  );

  test.each(
    ['alpha-dropout', 'feature-alpha-dropout'].flatMap((kind) => dtypes.map((dtype) => [kind, dtype] as const)),
  )('%s, %s: mean 0 and variance 1 stay', (kind, dtype) => {
    const member = family.find((each) => each.kind === kind) as Member;
    for (const rate of [0.1, 0.5]) {
      scope(() => {
        const own = deriveKey(key, 'moments', kind, dtype, String(rate));
        const shape = kind === 'alpha-dropout' ? [400, 100] : [400, 100, 1];
        const x = rand(shape, { generator: generator(own) })
          .mul(2 * Math.sqrt(3))
          .sub(Math.sqrt(3))
          .to(dtype);
        const values = numbers(member.run(member.make(rate, 'place'), x, trainingPass({ key: own })));
        const n = values.length;
        const mean = values.reduce((sum, value) => sum + value, 0) / n;
        const variance = values.reduce((sum, value) => sum + value ** 2, 0) / n;
        const fourth = values.reduce((sum, value) => sum + value ** 4, 0) / n;
        expect(Math.abs(mean) * Math.sqrt(n)).toBeLessThan(Z);
        expect((Math.abs(variance - 1) * Math.sqrt(n)) / Math.sqrt(fourth - 1)).toBeLessThan(Z);
      });
    }
  });

  test.each(dtypes.flatMap((dtype) => rates.map((rate) => [dtype, rate] as const)))(
    'gaussian-dropout, %s, rate %s: noise of mean 1 and variance p / (1 − p)',
    (dtype, rate) => {
      scope(() => {
        const member = family.find((each) => each.kind === 'gaussian-dropout') as Member;
        const own = deriveKey(key, 'noise', dtype, String(rate));
        // Powers of two, so that a quotient is the noise as it was rounded.
        const x = rand([400, 100], { generator: generator(own) })
          .gt(0.5)
          .to('float32')
          .add(1)
          .to(dtype);
        const y = member.run(member.make(rate, 'place'), x, trainingPass({ key: own }));
        const noise = numbers(y.to('float64').div(x.to('float64')));
        const n = noise.length;
        const variance = rate / (1 - rate);
        const mean = noise.reduce((sum, value) => sum + value, 0) / n;
        const found = noise.reduce((sum, value) => sum + (value - 1) ** 2, 0) / n;
        // Rounding adds a variance of its own: ulp² / 12, of numbers near 1.
        const ulp = { float32: 2 ** -23, float16: 2 ** -10, bfloat16: 2 ** -7 }[dtype];
        expect((Math.abs(mean - 1) * Math.sqrt(n)) / Math.sqrt(variance)).toBeLessThan(Z);
        expect((Math.abs(found / variance - 1) - ulp ** 2 / 6 / variance) * Math.sqrt(n / 2)).toBeLessThan(Z);
      });
    },
  );
});

describe('masks by rows', () => {
  const ROWS = 400;
  const masks = (rate: number): number[][] =>
    scope(() => {
      const x = rand([ROWS, 101], { generator: generator(key) }).add(0.5);
      const keys = Array.from({ length: ROWS }, (_, i) => deriveKey(key, 'row', i));
      const y = new Dropout(rate, { name: 'rows' }).forward(x, trainingPass({ key }).with(rowKeysSlot, keys));
      const flags = numbers(y.eq(0).to('float32'));
      return Array.from({ length: ROWS }, (_, i) => flags.slice(i * 101, (i + 1) * 101));
    });

  test.each(rates)('have the rate %s', (rate) => {
    const count = masks(rate)
      .flat()
      .reduce((sum, flag) => sum + flag, 0);
    expect(off(count, rate, ROWS * 101)).toBeLessThan(Z);
  });

  test('rows do not depend on each other', () => {
    const rows = masks(0.5);
    const equal = rows.flatMap((row, i) => row.filter((flag, j) => flag === rows[(i + 1) % ROWS]?.[j])).length;
    expect(off(equal, 0.5, ROWS * 101)).toBeLessThan(Z);
    // Each place of the row by itself: a generator that starts badly would show in the first ones.
    const counts = Array.from({ length: 101 }, (_, j) => rows.reduce((sum, row) => sum + (row[j] ?? 0), 0));
    const chiSquare = counts.reduce((sum, count) => sum + (count - ROWS / 2) ** 2 / (ROWS / 4), 0);
    // The 99.9 % point of chi-square with 101 degrees of freedom.
    expect(chiSquare).toBeLessThan(150.67);
  });

  test('the first decisions of many masks have their rate too', () => {
    const n = 4000;
    const first = Array.from({ length: n }, (_, step) =>
      scope(() =>
        dropout(rand([1]).add(0.5), 0.3, trainingPass({ key: deriveKey(key, 'first', step) }), {
          name: 'one',
        }).item() === 0
          ? 1
          : 0,
      ),
    );
    expect(off(first.filter(Boolean).length, 0.3, n)).toBeLessThan(Z);
    const equal = first.filter((flag, i) => flag === first[(i + 1) % n]).length;
    expect(off(equal, 0.3 ** 2 + 0.7 ** 2, n)).toBeLessThan(Z);
  });
});
