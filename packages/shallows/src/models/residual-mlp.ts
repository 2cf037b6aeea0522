import { scope, type Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from '../depth/index.js';
import { Dropout, type DropRate, nameDropouts } from '../dropout/index.js';
import { evaluation, FeedForward, LayerNorm, Linear, Module, type Pass, Sequential } from '../nn/index.js';
import { Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';

/** Options of {@link residualMlp}. */
export interface ResidualMlpOptions {
  /** Features of a row. */
  readonly inputs: number;
  /** Classes, or numbers to predict. */
  readonly outputs: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Features between the blocks. */
  readonly width?: number;
  readonly blocks?: number;
  /** Features inside a block; twice the width unless given. */
  readonly hidden?: number;
  /** Rate of a dropout inside of the blocks. */
  readonly hiddenDrop?: DropRate;
  /** Rate of a dropout of the output of each branch. */
  readonly projDrop?: DropRate;
  /** Rate of a dropout before the last layer. */
  readonly headDrop?: DropRate;
}

/** x + fc2(gelu(fc1(norm(x)))) on rows `[…, width]`. */
class MlpBlock extends Module implements ResidualBlock {
  readonly site = new Site('mlp');
  readonly norm: LayerNorm;
  readonly mlp: FeedForward;

  constructor(width: number, hidden: number, hiddenDrop: DropRate, projDrop: DropRate, key: Key) {
    super();
    this.norm = new LayerNorm(width);
    this.mlp = new FeedForward(width, {
      hidden,
      key,
      drop1: new Dropout(hiddenDrop),
      drop2: new Dropout(projDrop),
    });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    return this.mlp.forward(this.norm.forward(x), pass);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

/** The residual network for tables, as {@link residualMlp} makes it. */
export class ResidualMlp extends Module {
  readonly stem: Linear;
  readonly blocks: Sequential;
  readonly norm: LayerNorm;
  readonly headDrop: Dropout;
  readonly head: Linear;

  constructor(options: ResidualMlpOptions) {
    super();
    const { inputs, outputs, key, width = 128, blocks = 6, hidden = 2 * width } = options;
    const { hiddenDrop = 0, projDrop = 0, headDrop = 0 } = options;
    checkRates(new Settings('residualMlp'), { hiddenDrop, projDrop, headDrop })
      .whole('inputs', inputs, 1)
      .whole('outputs', outputs, 1)
      .whole('width', width, 1)
      .whole('blocks', blocks, 1)
      .whole('hidden', hidden, 1)
      .key(key)
      .check('write residualMlp({ inputs, outputs, width, blocks, key })');
    this.stem = new Linear(inputs, width, { key: deriveKey(key, 'stem') });
    this.blocks = new Sequential(
      ...Array.from({ length: blocks }, (_, i) => {
        return new MlpBlock(width, hidden, hiddenDrop, projDrop, deriveKey(key, 'blocks', i));
      }),
    );
    this.norm = new LayerNorm(width);
    this.headDrop = new Dropout(headDrop);
    this.head = new Linear(width, outputs, { key: deriveKey(key, 'head') });
    nameDropouts(this);
  }

  /**
   * @param x rows `[…, inputs]`, float, each feature of about zero mean and unit variance
   * @returns `[…, outputs]`
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const y = this.norm.forward(this.blocks.forward(this.stem.forward(x, pass), pass));
      return this.head.forward(this.headDrop.forward(y, pass), pass);
    });
  }
}

/**
 * A residual multilayer perceptron for rows of features, with a site in each block: `blocks.0`, … Rows are independent
 * of each other, so dropping some of them is exact.
 *
 * Linear layers start as PyTorch's do, a function of the key.
 *
 * @throws ShallowsError for sizes that are no whole numbers from 1
 * @see Gorishniy et al., "Revisiting deep learning models for tabular data", NeurIPS 2021, whose ResNet has batch norm
 *   and relu
 */
export function residualMlp(options: ResidualMlpOptions): ResidualMlp {
  return new ResidualMlp(options);
}
