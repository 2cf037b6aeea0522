import { readFileSync } from 'node:fs';
import { scope, tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { deriveKey, normals, rootKey, uniforms } from '../../random/index.js';
import {
  averagePrecision,
  BinnedAuc,
  ConfusionMatrix,
  predictedClasses,
  rocAuc,
  rocAucOneVsRest,
  TopK,
} from './index.js';

const reference = JSON.parse(readFileSync(new URL('fixtures/classification.json', import.meta.url), 'utf8'));
/** What comes back from a JSON file. */
const stored = (state: unknown): unknown => JSON.parse(JSON.stringify(state));

describe('ConfusionMatrix', () => {
  const { guess, target, ...expected } = reference.counts;
  const matrix = new ConfusionMatrix(5);
  matrix.add(guess, target);
  const found = matrix.result();

  test('agrees with scikit-learn to 1e-9: absent classes too', () => {
    expect(found.matrix).toEqual(expected.matrix);
    expect(found.count).toBe(target.length);
    expect(found.accuracy).toBeCloseTo(expected.accuracy, 12);
    expect(found.balancedAccuracy).toBeCloseTo(expected.balancedAccuracy, 12);
    for (const [c, [precision, recall, f1, support]] of expected.classes.entries()) {
      expect(found.classes[c]?.support).toBe(support);
      expect(found.classes[c]?.precision).toBeCloseTo(precision, 12);
      expect(found.classes[c]?.recall).toBeCloseTo(recall, 12);
      expect(found.classes[c]?.f1).toBeCloseTo(f1, 12);
    }
    for (const average of ['micro', 'macro', 'weighted'] as const) {
      for (const score of ['precision', 'recall', 'f1'] as const) {
        expect(found[average][score], `${average} ${score}`).toBeCloseTo(expected[average][score], 12);
      }
    }
  });

  test('agrees with torchmetrics to its float32', () => {
    expect(found.macro.f1).toBeCloseTo(expected.torchmetricsMacroF1, 6);
    expect(found.micro.f1).toBeCloseTo(expected.torchmetricsMicroF1, 6);
  });

  test('parts merge, also through JSON, to the whole', () => {
    const parts = [0, 30, 31].map((start, i, starts) => {
      const part = new ConfusionMatrix(5);
      part.add(guess.slice(start, starts[i + 1]), target.slice(start, starts[i + 1]));
      return ConfusionMatrix.fromJSON(stored(part));
    });
    const merged = new ConfusionMatrix(5);
    for (const part of parts) merged.merge(part);
    expect(merged.result()).toEqual(found);
  });

  test('takes tensors', () => {
    const small = new ConfusionMatrix(2);
    scope(() => small.add(tensor([0n, 1n]), tensor([1n, 1n])));
    expect(small.result().matrix).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  test('refuses what it cannot count', () => {
    const empty = new ConfusionMatrix(2);
    expect(() => empty.result()).toThrow('expected at least one row, got none');
    expect(() => empty.add([2], [0])).toThrow('expected predictions that are classes from 0 to 1, got 2 at 0');
    expect(() => empty.add([1], [-1])).toThrow('expected targets that are classes from 0 to 1, got -1');
    expect(() => empty.add([1, 0], [1])).toThrow('got 2 and 1 - pair them');
    expect(() => empty.merge(new ConfusionMatrix(3))).toThrow('expected 2 classes to merge, got 3');
    expect(() => new ConfusionMatrix(1)).toThrow('expected at least two classes, got 1');
    expect(() => ConfusionMatrix.fromJSON({ classes: 2, counts: [1, 2] })).toThrow(
      'expected 4 finite numbers for counts',
    );
    expect(() => ConfusionMatrix.fromJSON(null)).toThrow('expected an object, got null');
  });
});

describe('TopK and predictedClasses', () => {
  const { logits, target, topK } = reference.many;

  test('agree with scikit-learn, streamed and merged', () => {
    const [first, second] = [new TopK([1, 2, 5]), new TopK([1, 2, 5])];
    first.add(logits.slice(0, 17), target.slice(0, 17));
    second.add(logits.slice(17), target.slice(17));
    const merged = TopK.fromJSON(stored(first));
    merged.merge(second);
    expect(merged.result()).toBeAllclose(topK, { rtol: 1e-12 });
    const right = [...predictedClasses(logits)].filter((each, i) => each === target[i]).length;
    expect(right / target.length).toBeCloseTo(topK[0], 12);
  });

  test('of equal scores the lower class comes first: one score for all gains nothing', () => {
    const meter = new TopK([1, 2]);
    meter.add(
      [
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 1],
      ],
      [0, 1, 2],
    );
    expect(meter.result()).toEqual([1 / 3, 2 / 3]);
    expect([...predictedClasses([[0, 2, 2]])]).toEqual([1]);
  });

  test('refuses other k and other classes', () => {
    expect(() => new TopK([0])).toThrow('expected whole numbers from 1, got 0');
    expect(() => new TopK([])).toThrow('expected whole numbers from 1');
    const meter = new TopK([1]);
    expect(() => meter.result()).toThrow('got none');
    expect(() => meter.add([[1, 2]], [2])).toThrow('classes from 0 to 1, got 2');
    expect(() => meter.add([[1, 2]], [1, 0])).toThrow('got 1 and 2');
    expect(() => meter.merge(new TopK([2]))).toThrow('expected k of 1 to merge, got 2');
  });
});

describe('ranking measures', () => {
  interface Scored extends Readonly<Record<'auc' | 'averagePrecision' | 'torchmetricsAuc', number>> {
    readonly score: number[];
    readonly label: number[];
  }
  test.each(reference.scores as readonly Scored[])(
    'agree with scikit-learn to 1e-12, ties and all, case %#',
    (expected) => {
      const { score, label, auc, averagePrecision: precision, torchmetricsAuc } = expected;
      expect(rocAuc(score, label)).toBeCloseTo(auc, 12);
      expect(rocAuc(score, label)).toBeCloseTo(torchmetricsAuc, 5);
      expect(averagePrecision(score, label)).toBeCloseTo(precision, 12);
      // The order of the rows does not matter.
      expect(averagePrecision(score.toReversed(), label.toReversed())).toBeCloseTo(precision, 12);
    },
  );

  test('one against the rest', () => {
    const { probabilities, target, macro, weighted } = reference.many;
    expect(rocAucOneVsRest(probabilities, target)).toBeCloseTo(macro, 12);
    expect(rocAucOneVsRest(probabilities, target, 'weighted')).toBeCloseTo(weighted, 12);
  });

  test('refuse labels of one kind', () => {
    expect(() => rocAuc([1, 2], [1, 1])).toThrow('expected labels 0 and 1, got 2 positive of 2');
    expect(() => averagePrecision([1, 2], [0, 0])).toThrow('expected a positive label, got none of 2');
    expect(() =>
      rocAucOneVsRest(
        [
          [1, 2, 3],
          [3, 2, 1],
        ],
        [0, 1],
      ),
    ).toThrow('got none of class 2');
    expect(() => rocAuc([1, 2], [0, 2])).toThrow('expected labels of 0 and 1, got 2 at 1');
  });
});

describe('BinnedAuc', () => {
  const key = deriveKey(rootKey(1), 'auc');
  const labels = uniforms(key, 3000).map((u) => (u < 0.3 ? 1 : 0));
  const logits = normals(key, 3000).map((z, i) => z + (labels[i] ?? 0));

  test.each([4, 64, 4096])('with %s bins the exact area lies within its bounds', (bins) => {
    const exact = rocAuc(logits, labels);
    const meter = new BinnedAuc({ bins, range: [-3, 3] });
    meter.add(logits, labels);
    const { auc, lower, upper, positives, negatives } = meter.result();
    expect(lower).toBeLessThanOrEqual(exact);
    expect(upper).toBeGreaterThanOrEqual(exact);
    expect(auc).toBeCloseTo((lower + upper) / 2, 12);
    expect(upper - lower).toBeLessThan(2 / bins);
    expect(positives + negatives).toBe(3000);
  });

  test('with a score a bin it is exact', () => {
    const meter = new BinnedAuc({ bins: 10 });
    meter.add([0.05, 0.15, 0.25, 0.95], [0, 1, 0, 1]);
    expect(meter.result()).toMatchObject({ auc: 0.75, lower: 0.75, upper: 0.75 });
  });

  test('merges through JSON; scores beyond the range go to the ends', () => {
    const whole = new BinnedAuc({ bins: 50, range: [-1, 1] });
    whole.add(logits, labels);
    const [first, second] = [new BinnedAuc({ bins: 50, range: [-1, 1] }), new BinnedAuc({ bins: 50, range: [-1, 1] })];
    first.add(logits.slice(0, 1000), labels.slice(0, 1000));
    second.add(logits.slice(1000), labels.slice(1000));
    const merged = BinnedAuc.fromJSON(stored(second));
    merged.merge(first);
    expect(merged.result()).toEqual(whole.result());
    const exact = rocAuc(logits, labels);
    expect(whole.result().lower).toBeLessThanOrEqual(exact);
    expect(whole.result().upper).toBeGreaterThanOrEqual(exact);
  });

  test('refuses other bins', () => {
    expect(() => new BinnedAuc({ bins: 1 })).toThrow('got 1 over [0, 1]');
    expect(() => new BinnedAuc({ range: [1, 1] })).toThrow('over [1, 1]');
    expect(() => new BinnedAuc().result()).toThrow('got 0 positive and 0 negative');
    expect(() => new BinnedAuc().merge(new BinnedAuc({ bins: 8 }))).toThrow('expected the same bins to merge');
  });
});
