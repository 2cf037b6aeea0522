import { Operator, type Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from '../depth/index.js';
import { Dropout, type DropRate } from '../dropout/index.js';
import { evaluation, LayerNorm, Linear, Module, type Pass } from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';
import { WindowAttention, type WindowAttentionOptions } from './swin-attention.js';

const gelu = new Operator('aten::gelu');

/** Options of a {@link SwinBlock}; whoever makes one has checked them. */
export interface SwinBlockOptions extends WindowAttentionOptions {
  /** Features inside the feed-forward branch. */
  readonly hidden: number;
  /** Rate of a dropout inside of the feed-forward branch; `projDrop` unless given. */
  readonly hiddenDrop?: DropRate;
}

const itself = (x: Tensor): Tensor => x;

/** fc2(gelu(fc1(x))) and its dropouts, with torchvision's keys: the layers have places in a list. */
class SwinFeedForward extends Module {
  readonly 0: Linear;
  readonly 2: Dropout;
  readonly 3: Linear;
  readonly 4: Dropout;

  constructor(dim: number, hidden: number, hiddenDrop: DropRate, projDrop: DropRate, key: Key) {
    super();
    this[0] = new Linear(dim, hidden, { key: deriveKey(key, 'fc1') });
    this[2] = new Dropout(hiddenDrop);
    this[3] = new Linear(hidden, dim, { key: deriveKey(key, 'fc2') });
    this[4] = new Dropout(projDrop);
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const inner = gelu.call([this[0].forward(x, pass)], { approximate: 'none' }) as Tensor;
    return this[4].forward(this[3].forward(this[2].forward(inner, pass), pass), pass);
  }
}

/**
 * x + attn(norm1(x)), then x + mlp(norm2(x)), on maps `[B, H, W, dim]`. Two branches that can be dropped, the fields
 * `attention` and `feedforward`; both are one layer of a schedule over depth.
 */
export class SwinBlock extends Module {
  readonly norm1: LayerNorm;
  readonly attn: WindowAttention;
  readonly attention: ResidualBlock;
  readonly norm2: LayerNorm;
  readonly mlp: SwinFeedForward;
  readonly feedforward: ResidualBlock;

  constructor(dim: number, { hidden, hiddenDrop, ...options }: SwinBlockOptions) {
    super();
    const { key, projDrop = 0 } = options;
    this.norm1 = new LayerNorm(dim);
    this.attn = new WindowAttention(dim, { ...options, key: deriveKey(key, 'attn') });
    this.norm2 = new LayerNorm(dim);
    this.mlp = new SwinFeedForward(dim, hidden, hiddenDrop ?? projDrop, projDrop, deriveKey(key, 'mlp'));
    const site = new Site('attention');
    this.attention = { site, branch: (x, pass) => this.attn.forward(this.norm1.forward(x), pass), shortcut: itself };
    this.feedforward = {
      site: new Site('mlp', { beside: site }),
      branch: (x, pass) => this.mlp.forward(this.norm2.forward(x), pass),
      shortcut: itself,
    };
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this.feedforward, residual(this.attention, x, pass), pass);
  }
}
