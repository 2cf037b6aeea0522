import { inspect } from 'node:util';
import { Tensor } from '../tensor.js';
import { describeTensor } from './describe.js';

declare module '../tensor.js' {
  interface Tensor {
    /** The text that PyTorch's `repr` gives; `console.log(tensor)` prints it too. */
    toString(): string;
  }
}

const print = function (this: Tensor): string {
  return describeTensor(this);
};
for (const key of ['toString', inspect.custom]) {
  Object.defineProperty(Tensor.prototype, key, { value: print, writable: true, configurable: true });
}

export { describeTensor };
