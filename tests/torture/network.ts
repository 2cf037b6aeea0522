import { scope, type Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from 'shallows/depth';
import { Dropout, nameDropouts } from 'shallows/dropout';
import { BatchNorm2d, Conv2d, evaluation, Linear, Module, type Pass, Sequential } from 'shallows/nn';
import { deriveKey, type Key } from 'shallows/random';

/** x + dropout(conv(relu(bn(x)))) */
class Block extends Module implements ResidualBlock {
  readonly site = new Site('basic');
  readonly bn: BatchNorm2d;
  readonly conv: Conv2d;
  readonly dropout = new Dropout(0.1);

  constructor(channels: number, key: Key) {
    super();
    this.bn = new BatchNorm2d(channels);
    this.conv = new Conv2d(channels, channels, 3, { padding: 1, key });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    return this.dropout.forward(this.conv.forward(this.bn.forward(x, pass).relu()), pass);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

/** Small, and with all that a state can forget: sites that are dropped, dropout, running means, weights. */
export class Network extends Module {
  readonly stem: Conv2d;
  readonly blocks: Sequential;
  readonly head: Linear;

  constructor({
    classes,
    key,
    channels = 8,
    blocks = 4,
  }: { classes: number; key: Key; channels?: number; blocks?: number }) {
    super();
    this.stem = new Conv2d(3, channels, 3, { padding: 1, key: deriveKey(key, 'stem') });
    this.blocks = new Sequential(
      ...Array.from({ length: blocks }, (_, i) => new Block(channels, deriveKey(key, 'block', i))),
    );
    this.head = new Linear(channels, classes, { key: deriveKey(key, 'head') });
    nameDropouts(this);
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => this.head.forward(this.blocks.forward(this.stem.forward(x), pass).mean([2, 3])));
  }
}
