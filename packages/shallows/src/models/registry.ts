import { didYouMean, ShallowsError } from '../errors.js';
import type { Module } from '../nn/index.js';
import { type CifarResnetOptions, cifarResnet } from './cifar-resnet.js';

/** The models that have a name, and what each is made from. */
export interface ModelOptions {
  readonly 'cifar-resnet': CifarResnetOptions;
}

const registry: { readonly [K in keyof ModelOptions]: (options: ModelOptions[K]) => Module } = {
  'cifar-resnet': cifarResnet,
};

/** The names that {@link createModel} knows. */
export const modelNames = Object.keys(registry) as readonly (keyof ModelOptions)[];

/** Makes a model by name; its weights are a function of `options.key`. */
export function createModel<K extends keyof ModelOptions>(name: K, options: ModelOptions[K]): Module {
  if (!Object.hasOwn(registry, name)) {
    throw new ShallowsError(
      `createModel: expected one of ${modelNames.join(', ')}, got '${name}'${didYouMean(name, modelNames)}`,
    );
  }
  return registry[name](options);
}
