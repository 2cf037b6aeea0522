import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { randn, scope, setNumThreads, stats, tensor } from '@shallows/torch';
import { expect, test } from 'vitest';
import { applyPolicy, drawPlan, Policy, withPlan } from '../depth/index.js';
import { crossEntropy, SGD, trainingPass } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { cifarResnet } from './index.js';

// Without a collection first, resident memory would show when V8 last collected rather than what is held.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

test('a thousand training steps: live tensors end where they began, resident memory grows under 2 %', () => {
  setNumThreads(1);
  const begin = stats().liveTensors;
  const key = rootKey(1);
  const model = cifarResnet({ depth: 8, classes: 10, key });
  const policy = Policy({ drop: 0.5 });
  const sites = applyPolicy(model, policy);
  const sgd = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-4 });
  const pictures = randn([8, 3, 8, 8]);
  const targets = tensor(Array.from({ length: 8 }, (_, i) => BigInt(i)));

  let live = 0;
  const step = (at: number): void => {
    const loss = scope(() => {
      const pass = withPlan(trainingPass({ key }), drawPlan(policy, sites, { key, step: at }));
      sgd.zeroGrad();
      const loss = crossEntropy(model.forward(pictures, pass), targets);
      loss.backward();
      sgd.step();
      return loss;
    });
    expect(Number.isFinite(loss.item())).toBe(true);
    loss.dispose();
  };
  /** How much the resident memory of a thousand steps grows, from its beginning to its end. */
  const growth = (from: number): number => {
    const residents: number[] = [];
    for (let i = 0; i < 1000; i++) {
      step(from + i);
      if (i === 99 && live === 0) live = stats().liveTensors;
      if (i >= 99 && i % 10 === 9) {
        collect();
        residents.push(process.memoryUsage.rss());
      }
    }
    return median(residents.slice(-15)) / median(residents.slice(0, 15)) - 1;
  };
  // What leaks grows in every thousand; what other processes make the system do does not.
  let grown = growth(0);
  for (let round = 1; round < 3 && grown >= 0.02; round++) grown = growth(1000 * round);
  expect(stats().liveTensors).toBe(live);
  expect(grown).toBeLessThan(0.02);

  for (const each of [model, sgd, pictures, targets]) each.dispose();
  expect(stats().liveTensors).toBe(begin);
});
