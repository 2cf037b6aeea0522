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

  const residents: number[] = [];
  let live = 0;
  for (let step = 0; step < 1000; step++) {
    const loss = scope(() => {
      const pass = withPlan(trainingPass({ key }), drawPlan(policy, sites, { key, step }));
      sgd.zeroGrad();
      const loss = crossEntropy(model.forward(pictures, pass), targets);
      loss.backward();
      sgd.step();
      return loss;
    });
    expect(Number.isFinite(loss.item())).toBe(true);
    loss.dispose();
    if (step === 99) live = stats().liveTensors;
    if (step >= 99 && step % 10 === 9) {
      collect();
      residents.push(process.memoryUsage.rss());
    }
  }
  expect(stats().liveTensors).toBe(live);
  const [early, late] = [median(residents.slice(0, 15)), median(residents.slice(-15))];
  expect(late / early - 1).toBeLessThan(0.02);

  for (const each of [model, sgd, pictures, targets]) each.dispose();
  expect(stats().liveTensors).toBe(begin);
});
