import { manualSeed, ops, rand, randint, randn, randperm, scope, type Tensor, zeros } from '@shallows/torch';
import { expect, test } from 'vitest';
import { withQuietDraws } from './quiet-draws.js';

const x = (): Tensor => zeros([3, 4]).add(0.5);
const weights = (): Tensor[] => [[8, 4], [8, 2], [8], [8], [8, 2], [8, 2], [8], [8]].map((shape) => zeros(shape));

// Each of libtorch's random operators, by the name that it is told by.
const draws: Record<string, () => unknown> = {
  'aten::dropout': () => ops.aten.dropout(x(), 0.5, true),
  'aten::dropout_': () => ops.aten.dropout_(x(), 0.5, true),
  'aten::feature_dropout': () => ops.aten.feature_dropout(x(), 0.5, true),
  'aten::alpha_dropout': () => ops.aten.alpha_dropout(x(), 0.5, true),
  'aten::feature_alpha_dropout': () => ops.aten.feature_alpha_dropout(x(), 0.5, true),
  'aten::native_dropout': () => ops.aten.native_dropout(x(), 0.5, true),
  'aten::rrelu': () => ops.aten.rrelu(x(), 0.1, 0.3, true),
  'aten::rrelu_with_noise': () => ops.aten.rrelu_with_noise(x().neg(), x(), 0.1, 0.3, true),
  'aten::scaled_dot_product_attention': () => ops.aten.scaled_dot_product_attention(x(), x(), x(), null, 0.5),
  'aten::lstm': () =>
    ops.aten.lstm.input(
      zeros([5, 3, 4]),
      [zeros([2, 3, 2]), zeros([2, 3, 2])],
      weights(),
      true,
      2,
      0.5,
      true,
      false,
      false,
    ),
  'aten::bernoulli': () => ops.aten.bernoulli(x()),
  'aten::bernoulli_': () => ops.aten.bernoulli_.float(x(), 0.5),
  'aten::binomial': () => ops.aten.binomial(x().add(3).round(), x()),
  'aten::cauchy_': () => ops.aten.cauchy_(x()),
  'aten::exponential_': () => ops.aten.exponential_(x()),
  'aten::geometric_': () => ops.aten.geometric_(x(), 0.5),
  'aten::log_normal_': () => ops.aten.log_normal_(x()),
  'aten::multinomial': () => ops.aten.multinomial(x(), 2),
  'aten::normal': () => ops.aten.normal.Tensor_float(x(), 1),
  'aten::normal_': () => ops.aten.normal_(x()),
  'aten::poisson': () => ops.aten.poisson(x()),
  'aten::rand': () => rand([3]),
  'aten::rand_like': () => ops.aten.rand_like(x()),
  'aten::randint': () => randint(0, 9, [3]),
  'aten::randint_like': () => ops.aten.randint_like(x(), 9),
  'aten::randn': () => randn([3]),
  'aten::randn_like': () => ops.aten.randn_like(x()),
  'aten::randperm': () => randperm(5),
  'aten::random_': () => ops.aten.random_(x()),
  'aten::uniform_': () => ops.aten.uniform_(x()),
};

test.each(Object.entries(draws))('%s is told, and leaves the default generator where it is', (name, run) => {
  scope(() => {
    const after = (draw: () => unknown): number[] => {
      manualSeed(5);
      draw();
      return Array.from(rand([4]).toArray(), Number);
    };
    const plain = after(() => {});
    // It does draw from it otherwise.
    if (name !== 'aten::rrelu') expect(after(run)).not.toEqual(plain);
    const found: string[] = [];
    expect(after(() => withQuietDraws(({ op }) => void found.push(op), run))).toEqual(plain);
    expect(found).toEqual([name]);
  });
});

test('calls without randomness pass, errors too, and nothing stays behind', () => {
  scope(() => {
    const found: string[] = [];
    const run = <T>(fn: () => T): T => withQuietDraws(({ op }) => void found.push(op), fn);
    expect(run(() => (ops.aten.dropout(x(), 0.5, false) as Tensor).shape)).toEqual([3, 4]);
    expect(run(() => (ops.aten.dropout(x(), 0, true) as Tensor).shape)).toEqual([3, 4]);
    expect(() => run(() => ops.aten.bernoulli('x'))).toThrow('aten::bernoulli');
    expect(found).toEqual([]);
    manualSeed(1);
    const first = Array.from(rand([2]).toArray(), Number);
    expect(Array.from(rand([2]).toArray(), Number)).not.toEqual(first);
  });
});
