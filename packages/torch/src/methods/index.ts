import { install, type MethodsOf } from '../table.js';
import { Tensor } from '../tensor.js';
import { pointwise } from './pointwise.js';

const table = { ...pointwise };

declare module '../tensor.js' {
  interface Tensor extends MethodsOf<typeof table> {}
}

install(Tensor.prototype, table);

export * from './pointwise.js';
