import { randn, tensor } from '@shallows/torch';
import { expect, test } from 'vitest';
import { fakeTraining } from '../../../../../tests/support/fake-training.js';
import { ShallowsError } from '../../errors.js';
import { crossEntropy, tokenCrossEntropy } from '../../nn/index.js';
import { labelSmoothing } from './label-smoothing.js';
import { mixTargets } from './mixing.js';

const logits = randn([4, 3]);
const classes = tensor([2n, 0n, 1n, 2n]);
const close = { rtol: 1e-5, atol: 1e-6 };

test("the run minimises PyTorch's smoothed cross entropy", () => {
  const training = fakeTraining({ loss: crossEntropy });
  void labelSmoothing({ smoothing: 0.2 }).onFitStart?.(training);
  expect(training.loss(logits, classes)).toBeAllclose(crossEntropy(logits, classes, { labelSmoothing: 0.2 }), close);
});

test('probabilities of a mixed batch are smoothed as well', () => {
  const training = fakeTraining({ loss: crossEntropy });
  void labelSmoothing().onFitStart?.(training);
  const soft = mixTargets(classes, { lambda: 0.3, partners: Uint32Array.of(3, 0, 1, 2), box: null }, 3);
  expect(training.loss(logits, soft)).toBeAllclose(crossEntropy(logits, soft, { labelSmoothing: 0.1 }), close);
});

test("a loss of the run's own is kept, and given probabilities", () => {
  const training = fakeTraining({ loss: (_, targets) => targets.max() });
  void labelSmoothing({ smoothing: 0.3 }).onFitStart?.(training);
  expect(training.loss(logits, classes).item()).toBeCloseTo(0.8, 6);
});

test('tokens are smoothed one by one, ignored ones left out', () => {
  const training = fakeTraining({ data: { task: 'language' } });
  void labelSmoothing({ ignoreIndex: 0 }).onFitStart?.(training);
  const [outputs, tokens] = [logits.reshape([2, 2, 3]), classes.reshape([2, 2])];
  const expected = tokenCrossEntropy(outputs, tokens, { labelSmoothing: 0.1, ignoreIndex: 0 });
  expect(training.loss(outputs, tokens).item()).toBe(expected.item());
});

test('numbers have no labels, and shares are shares', () => {
  const start = (): unknown => labelSmoothing().onFitStart?.(fakeTraining({ data: { task: 'regression' } }));
  expect(start).toThrow(ShallowsError);
  expect(start).toThrow('labelSmoothing: expected a task with classes, got regression');
  expect(() => labelSmoothing({ smoothing: 1.1, ignoreIndex: 0.5 })).toThrow(
    'labelSmoothing: smoothing: expected a number from 0 to 1, got 1.1; ignoreIndex: expected a whole number, got 0.5',
  );
});
