// From nothing to the end of a first training step. Prints the time of day in milliseconds at which it ended.
import { ops, randn, scope } from '@shallows/torch';
import { mlp } from 'shallows/models';
import { crossEntropy, SGD, trainingPass } from 'shallows/nn';
import { rootKey } from 'shallows/random';

const model = mlp({ inputs: 784, outputs: 10, hidden: [128, 128], key: rootKey(1) });
const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
const x = randn([32, 784]);
const y = ops.aten.randint(10, [32], { dtype: 'int64' });
scope(() => {
  crossEntropy(model.forward(x, trainingPass()), y).backward();
  optimizer.step();
});
console.log(JSON.stringify({ at: performance.timeOrigin + performance.now() }));
