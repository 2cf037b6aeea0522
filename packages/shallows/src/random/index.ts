export { beta, gamma } from './beta.js';
export { bernoulli, uniform, uniforms } from './draws.js';
export { generator } from './generator.js';
export { permutation, randint, randints } from './integers.js';
export { deriveKey, indexOf, type Key, keyToHex, rootKey } from './key.js';
export { normal, normals } from './normals.js';
export { philox4x32 } from './philox.js';
