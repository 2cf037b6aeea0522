import { didYouMean, ShallowsError } from '../errors.js';
import type { Module } from '../nn/index.js';
import { type CifarResnetOptions, cifarResnet } from './cifar-resnet.js';
import { type ConvnextOptions, convnext } from './convnext.js';
import { type EfficientnetOptions, efficientnet } from './efficientnet.js';
import { type LstmOptions, lstm } from './lstm.js';
import { type MlpOptions, mlp } from './mlp.js';
import { type PreactResnetOptions, preactResnet } from './preact-resnet.js';
import { type ResidualMlpOptions, residualMlp } from './residual-mlp.js';
import { type ResnetOptions, resnet } from './resnet.js';
import { type SwinOptions, swin } from './swin.js';
import { type TransformerDecoderOptions, transformerDecoder } from './transformer-decoder.js';
import { type TransformerEncoderOptions, transformerEncoder } from './transformer-encoder.js';
import { type VitOptions, vit } from './vit.js';

/** The models that have a name, and what each is made from. */
export interface ModelOptions {
  readonly 'cifar-resnet': CifarResnetOptions;
  readonly convnext: ConvnextOptions;
  readonly efficientnet: EfficientnetOptions;
  readonly lstm: LstmOptions;
  readonly mlp: MlpOptions;
  readonly 'preact-resnet': PreactResnetOptions;
  readonly 'residual-mlp': ResidualMlpOptions;
  readonly resnet: ResnetOptions;
  readonly swin: SwinOptions;
  readonly 'transformer-decoder': TransformerDecoderOptions;
  readonly 'transformer-encoder': TransformerEncoderOptions;
  readonly vit: VitOptions;
}

const registry: { readonly [K in keyof ModelOptions]: (options: ModelOptions[K]) => Module } = {
  'cifar-resnet': cifarResnet,
  convnext,
  efficientnet,
  lstm,
  mlp,
  'preact-resnet': preactResnet,
  'residual-mlp': residualMlp,
  resnet,
  swin,
  'transformer-decoder': transformerDecoder,
  'transformer-encoder': transformerEncoder,
  vit,
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
