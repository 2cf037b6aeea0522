import { fromTypedArray, randn, scope, setNumThreads, stats, type Tensor, zeros } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { cifarResnet } from '../../models/index.js';
import { trainingPass } from '../../nn/index.js';
import { deriveKey, generator, normals, rootKey } from '../../random/index.js';
import { consistencyProbe } from './index.js';

const rows = fromTypedArray(Float32Array.from(normals(rootKey(1), 60)), [12, 5]);
const weight = fromTypedArray(Float32Array.from(normals(rootKey(2), 15)), [5, 3]);

beforeAll(() => setNumThreads(1));

describe('consistencyProbe', () => {
  test('a linear map is consistent, and nothing is left behind', () => {
    const before = stats();
    const report = consistencyProbe((x) => x.matmul(weight), rows);
    expect(report).toMatchObject({ rows: 12, dtype: 'float32', rtol: 1e-5, verdict: 'consistent' });
    expect(report.repeated).toEqual({ bitwise: true, largest: 0, within: true });
    expect(stats()).toEqual(before);
  });

  test('noise is found by repeating', () => {
    let call = 0;
    const noisy = (x: Tensor): Tensor =>
      x.add(randn(x.shape, { generator: generator(deriveKey(rootKey(3), call++)) }).mul(1e-7));
    expect(consistencyProbe(noisy, rows)).toMatchObject({
      verdict: 'random',
      repeated: { bitwise: false, within: true },
    });
  });

  test('statistics of the batch are found by giving rows alone', () => {
    const report = consistencyProbe((x) => x.sub(x.mean(0, { keepdim: true })), rows);
    expect(report).toMatchObject({ verdict: 'depends on the batch', alone: { bitwise: false, within: false } });
    expect(report.repeated.bitwise).toBe(true);
    expect(report.shuffled.within).toBe(true);
  });

  test('an answer that goes by the place in the batch is found by shuffling', () => {
    const placed = (x: Tensor): Tensor =>
      x.add(
        x.shape[0] === 1
          ? 0
          : fromTypedArray(
              Float32Array.from({ length: 12 }, (_, i) => (i < 6 ? 0 : 1)),
              [12, 1],
            ),
      );
    const report = consistencyProbe(placed, rows, { singles: 6 });
    expect(report).toMatchObject({
      verdict: 'depends on the batch',
      alone: { bitwise: true },
      shuffled: { bitwise: false },
    });
    expect(report.shuffled.within).toBe(false);
  });

  test('tolerances go by dtype, and by the largest number of a row', () => {
    // As far off as rounding to bfloat16 where a row comes alone.
    const half = (x: Tensor): Tensor => (x.shape[0] === 1 ? x.mul(1.004) : x);
    expect(consistencyProbe((x) => half(x.to('bfloat16')), rows)).toMatchObject({ rtol: 0.01, verdict: 'consistent' });
    expect(consistencyProbe(half, rows).verdict).toBe('depends on the batch');
    expect(consistencyProbe(half, rows, { rtol: 0.005 }).verdict).toBe('consistent');
    const classes = (x: Tensor): Tensor => (x.shape[0] === 1 ? x.argmax(1).mul(0) : x.argmax(1));
    expect(consistencyProbe(classes, rows)).toMatchObject({ dtype: 'int64', rtol: 0, verdict: 'depends on the batch' });
  });

  test('NaN in the same place is the same answer; NaN for a number is not', () => {
    expect(consistencyProbe((x) => x.div(zeros([])), rows).verdict).toBe('consistent');
    const report = consistencyProbe((x) => (x.shape[0] === 1 ? x.mul(Number.NaN) : x), rows);
    expect(report).toMatchObject({ verdict: 'depends on the batch', alone: { largest: Number.POSITIVE_INFINITY } });
  });

  test('a residual network evaluates consistently, and in training mode it does not', () => {
    scope(() => {
      const model = cifarResnet({ depth: 8, classes: 10, key: rootKey(4) });
      const images = randn([6, 3, 16, 16], { generator: generator(rootKey(5)) });
      expect(consistencyProbe((x) => model.forward(x), images)).toMatchObject({
        verdict: 'consistent',
        repeated: { bitwise: true },
      });
      const pass = trainingPass({ key: rootKey(6) });
      expect(consistencyProbe((x) => model.forward(x, pass), images, { singles: 2 }).verdict).not.toBe('consistent');
      model.dispose();
    });
  });

  test('refuses what it cannot probe', () => {
    expect(() => consistencyProbe((x) => x, rows.narrow(0, 0, 1))).toThrow('expected at least two rows');
    expect(() => consistencyProbe((x) => x, rows, { repeats: 1 })).toThrow('got 12, 1, 16 and undefined');
    expect(() => consistencyProbe((x) => x.sum(), rows)).toThrow('expected an answer for each of 12 rows, got []');
  });
});
