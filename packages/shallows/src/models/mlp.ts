import { noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import {
  AlphaDropout,
  attachDropConnect,
  Dropout,
  type DropoutModule,
  type DropRate,
  GaussianDropout,
  nameDropouts,
} from '../dropout/index.js';
import {
  evaluation,
  GELU,
  kaimingNormal_,
  LayerNorm,
  Linear,
  Module,
  type Pass,
  ReLU,
  SELU,
  Sequential,
  SiLU,
  Tanh,
} from '../nn/index.js';
import { Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import { areSizes } from './sizes.js';

const flatten = new Operator('aten::flatten', 'using_ints');
const zero_ = new Operator('aten::zero_');

const activations = { relu: ReLU, gelu: GELU, silu: SiLU, tanh: Tanh, selu: SELU } as const;

const dropouts = { plain: Dropout, alpha: AlphaDropout, gaussian: GaussianDropout } as const;

/** What follows a product of {@link mlp}. */
export type MlpActivation = keyof typeof activations;
/** The dropouts of {@link mlp}; alpha dropout belongs to selu. */
export type MlpDropout = keyof typeof dropouts;

/** Options of {@link mlp}. */
export interface MlpOptions {
  /** Features of a row: the product of all dimensions after the batch. */
  readonly inputs: number;
  /** Classes, or numbers to predict. */
  readonly outputs: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Features of each layer before the last. */
  readonly hidden?: readonly number[];
  readonly activation?: MlpActivation;
  /** Whether a layer norm stands before each activation. */
  readonly norm?: boolean;
  /** What the dropouts are; `alpha` for selu unless given, else `plain`. */
  readonly dropout?: MlpDropout;
  /** Rate of a dropout of the input. */
  readonly inputDrop?: DropRate;
  /** Rate of the dropout after each activation: 0.5 in the paper, 0.2 of the input. */
  readonly hiddenDrop?: DropRate;
  /** Rate at which weights of the layers before the last are dropped (`DropConnect`). */
  readonly weightDrop?: DropRate;
}

/** The multilayer perceptron, as {@link mlp} makes it. */
export class Mlp extends Module {
  readonly inputDrop: DropoutModule;
  /** Product, norm, activation and dropout of each layer, in turn. */
  readonly layers: Sequential;
  readonly head: Linear;
  readonly #inputs: number;

  constructor(options: MlpOptions) {
    super();
    const { inputs, outputs, key, hidden = [128, 128], activation = 'relu', norm = false } = options;
    const { dropout = activation === 'selu' ? 'alpha' : 'plain' } = options;
    const { inputDrop = 0, hiddenDrop = 0, weightDrop = 0 } = options;
    checkRates(new Settings('mlp'), { inputDrop, hiddenDrop, weightDrop })
      .whole('inputs', inputs, 1)
      .whole('outputs', outputs, 1)
      .expect(areSizes(hidden), 'hidden', 'a list of whole numbers from 1', hidden)
      .word('activation', activation, Object.keys(activations))
      .flag('norm', norm)
      .word('dropout', dropout, Object.keys(dropouts))
      .key(key)
      .check('write mlp({ inputs, outputs, hidden: [128, 128], key })');
    const Drop = dropouts[dropout];
    const Activation = activations[activation];
    const layers = hidden.flatMap((width, i): Module[] => {
      const linear = started(hidden[i - 1] ?? inputs, width, activation, deriveKey(key, 'layers', i));
      attachDropConnect(linear, weightDrop);
      return [linear, ...(norm ? [new LayerNorm(width)] : []), new Activation(), new Drop(hiddenDrop)];
    });
    this.inputDrop = new Drop(inputDrop);
    this.layers = new Sequential(...layers);
    this.head = new Linear(hidden.at(-1) ?? inputs, outputs, { key: deriveKey(key, 'head') });
    this.#inputs = inputs;
    nameDropouts(this);
  }

  /**
   * @param x `[B, …]`, float, with `inputs` numbers a row: rows of features, or pictures
   * @returns `[B, outputs]`
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const { shape } = x;
      const rows = shape.length === 2 && shape[1] === this.#inputs ? x : (flatten.call([x, 1, -1]) as Tensor);
      return this.head.forward(this.layers.forward(this.inputDrop.forward(rows, pass), pass), pass);
    });
  }
}

/** As {@link Linear}, but where selu follows from N(0, 1 / inputs) and a bias of 0, for which it keeps mean 0 and variance 1. */
function started(inputs: number, width: number, activation: MlpActivation, key: Key): Linear {
  const linear = new Linear(inputs, width, { key });
  if (activation !== 'selu') return linear;
  kaimingNormal_(linear.weight, { key: deriveKey(key, 'lecun'), nonlinearity: 'linear' });
  noGrad(() => zero_.call([linear.bias]));
  return linear;
}

/**
 * A multilayer perceptron for rows of features and for small pictures: products, each with an activation and a dropout, and a
 * last product. Keys are `layers.0.weight`, …, `head.weight`.
 *
 * Linear layers start as PyTorch's do, those before selu from N(0, 1 / inputs) and biases of 0; a function of the key.
 *
 * @throws ShallowsError for sizes that are no whole numbers from 1, rates outside [0, 1], or words that are not known
 * @see Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014
 */
export function mlp(options: MlpOptions): Mlp {
  return new Mlp(options);
}
