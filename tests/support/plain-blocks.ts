import { Operator, type Tensor } from '@shallows/torch';
import { adaptResidual } from '../../packages/shallows/src/depth/surgery/adaptor.js';
import { BatchNorm2d, Conv2d, evaluation, Linear, Module, type Pass } from '../../packages/shallows/src/nn/index.js';
import { deriveKey, type Key, rootKey } from '../../packages/shallows/src/random/index.js';

const relu = new Operator('aten::relu');

/** A user's block, as it comes from elsewhere: it knows nothing of sites, and adds itself. */
export class PlainBlock extends Module {
  readonly conv: Conv2d;
  readonly norm: BatchNorm2d;
  readonly projection: Conv2d | null;
  calls = 0;

  constructor(inChannels: number, outChannels: number, blockKey: Key) {
    super();
    this.conv = new Conv2d(inChannels, outChannels, 3, { padding: 1, bias: false, key: deriveKey(blockKey, 'conv') });
    this.norm = new BatchNorm2d(outChannels);
    this.projection =
      inChannels === outChannels ? null : new Conv2d(inChannels, outChannels, 1, { key: deriveKey(blockKey, 'p') });
  }

  layers(x: Tensor, pass: Pass): Tensor {
    this.calls++;
    return this.norm.forward(this.conv.forward(x), pass);
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const shortcut = this.projection === null ? x : this.projection.forward(x);
    return this.layers(x, pass).add(shortcut).relu();
  }
}

/** A block with an inner order that is not that of its fields, and one that several places share. */
export class PlainNet extends Module {
  readonly last: PlainBlock;
  readonly middle: PlainBlock;
  readonly first: PlainBlock;
  readonly head: Linear;

  constructor(netKey = rootKey(4)) {
    super();
    const block = (inChannels: number, outChannels: number, name: string): PlainBlock =>
      new PlainBlock(inChannels, outChannels, deriveKey(netKey, name));
    this.last = block(4, 4, 'last');
    this.middle = block(3, 4, 'middle');
    this.first = block(3, 3, 'first');
    this.head = new Linear(4, 2, { key: deriveKey(netKey, 'head') });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const y = this.last.forward(this.middle.forward(this.first.forward(x, pass), pass), pass);
    return this.head.forward(y.mean([2, 3]));
  }
}

/** Says how its blocks are made of a branch and a shortcut. */
export const adaptPlain = (): void =>
  adaptResidual(PlainBlock, {
    kind: 'plain',
    branch: (block, x, pass) => block.layers(x, pass),
    shortcut: (block, x) => block.projection?.forward(x) ?? x,
    activation: (_, sum) => relu.call([sum]) as Tensor,
  });
