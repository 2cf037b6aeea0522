import { scope } from '@shallows/torch';
import { crossEntropy, type Pass, trainingPass } from 'shallows/nn';
import type { Training } from './networks.js';

/** One step: forward, loss, backward, optimizer. Nothing is dropped unless the pass says so. */
export function trainingStep({ model, optimizer, inputs, targets }: Training, pass: Pass = trainingPass()): void {
  scope(() => {
    optimizer.zeroGrad();
    crossEntropy(model.forward(inputs, pass), targets).backward();
    optimizer.step();
  });
}
