import { describe, expect, test } from 'vitest';
import { Generator, manualSeed, rand, randint, randn, randperm, TorchError, tensor, zeros } from './index.js';

const draw = (generator: Generator): number[] => Array.from(randn([5], { generator }).toArray(), Number);

describe('a generator', () => {
  test('gives the same numbers from the same seed, and others from another', () => {
    expect(draw(new Generator('cpu', 1))).toEqual(draw(new Generator('cpu', 1)));
    expect(draw(new Generator('cpu', 1))).not.toEqual(draw(new Generator('cpu', 2)));
    expect(draw(new Generator('cpu', 2n ** 64n - 1n))).toEqual(draw(new Generator().manualSeed(2n ** 64n - 1n)));
  });

  test('gives the numbers of PyTorch', () => {
    // torch.rand(3, generator=torch.Generator().manual_seed(0))
    const values = rand([3], { generator: new Generator('cpu', 0) });
    expect(values).toBeAllclose([0.49625658988952637, 0.7682217955589294, 0.08847743272781372]);
  });

  test('continues from a state that was put back', () => {
    const generator = new Generator('cpu', 3);
    draw(generator);
    const state = generator.getState();
    const next = draw(generator);
    expect(draw(generator)).not.toEqual(next);
    expect(draw(generator.setState(state))).toEqual(next);
  });

  test('is independent of the default generator', () => {
    const expected = draw(new Generator('cpu', 5));
    const generator = new Generator('cpu', 5);
    manualSeed(1);
    rand([100]);
    expect(draw(generator)).toEqual(expected);
  });

  test('serves every random operator', () => {
    const each = (seed: number): unknown[] => {
      const generator = new Generator('cpu', seed);
      return [
        randint(0, 1000, [4], { generator }),
        randperm(10, { generator }),
        zeros([4]).uniform_(0, 1, { generator }),
        zeros([4]).normal_(0, 1, { generator }),
        zeros([9]).bernoulli_(0.5, { generator }),
        tensor([0.5, 0.5, 0.5, 0.5]).bernoulli({ generator }),
        tensor([1, 1, 1, 1]).multinomial(3, { generator }),
      ].map((x) => Array.from(x.toArray(), Number));
    };
    expect(each(1)).toEqual(each(1));
    expect(each(1)).not.toEqual(each(2));
  });

  test.each([-1, 0.5, 2 ** 53, Number.NaN, -1n, 2n ** 64n])('refuses the seed %s', (seed) => {
    expect(() => new Generator('cpu', seed)).toThrow(/expected a seed from 0 to 2\^64 - 1/);
    expect(() => manualSeed(seed)).toThrow(TorchError);
  });

  test('refuses a device that is not there and a state that is none', () => {
    expect(() => new Generator('nowhere')).toThrow(TorchError);
    expect(() => new Generator('cpu', 1).setState(tensor([1]))).toThrow(TorchError);
  });
});
