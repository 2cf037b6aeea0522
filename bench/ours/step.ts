// Training steps of a CIFAR ResNet with nothing dropped: forward, loss, backward, SGD. Prints milliseconds a step.
import { ops, randn, scope, setNumThreads } from '@shallows/torch';
import { cifarResnet } from 'shallows/models';
import { crossEntropy, SGD, trainingPass } from 'shallows/nn';
import { rootKey } from 'shallows/random';
import { measure } from './measure.js';

const [depth, batch, threads, repeats] = process.argv.slice(2).map(Number) as [number, number, number, number];
setNumThreads(threads);
const model = cifarResnet({ depth, classes: 10, key: rootKey(1) });
const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 });
const x = randn([batch, 3, 32, 32]);
const y = ops.aten.randint(10, [batch], { dtype: 'int64' });
const pass = trainingPass();

const step = (): void => {
  scope(() => {
    optimizer.zeroGrad();
    crossEntropy(model.forward(x, pass), y).backward();
    optimizer.step();
  });
};
const stepMs = measure(step, { warmup: 2, repeats });
console.log(JSON.stringify({ 'step, ms': stepMs, 'peak memory, MB': process.resourceUsage().maxRSS / 1024 }));
