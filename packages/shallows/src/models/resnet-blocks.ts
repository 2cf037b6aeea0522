import type { Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from '../depth/index.js';
import { BatchNorm2d, type Conv2d, evaluation, Module, type Pass, Sequential } from '../nn/index.js';
import { deriveKey } from '../random/index.js';
import { kaimingConv } from './kaiming-conv.js';
import { type BlockShape, changesShape } from './resnet-stages.js';

/** relu(shortcut(x) + bn2(conv2(relu(bn1(conv1(x)))))), both convolutions 3×3. */
export class BasicBlock extends Module implements ResidualBlock {
  readonly site = new Site('basic');
  readonly activation = 'relu';
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(shape: BlockShape) {
    super();
    const { inChannels, outChannels, stride, key } = shape;
    this.conv1 = kaimingConv(inChannels, outChannels, 3, { key: deriveKey(key, 'conv1'), stride });
    this.bn1 = new BatchNorm2d(outChannels);
    this.conv2 = kaimingConv(outChannels, outChannels, 3, { key: deriveKey(key, 'conv2') });
    this.bn2 = new BatchNorm2d(outChannels);
    this.downsample = downsampleOf(shape);
  }

  /** The batch norm at the end of the branch. */
  get lastNorm(): BatchNorm2d {
    return this.bn2;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    const inner = this.bn1.forwardRelu(this.conv1.forward(x, pass), pass);
    return this.bn2.forward(this.conv2.forward(inner, pass), pass);
  }

  shortcut(x: Tensor, pass: Pass): Tensor {
    return this.downsample === null ? x : this.downsample.forward(x, pass);
  }
}

/**
 * relu(shortcut(x) + bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))): 1×1 to fewer channels, 3×3, 1×1 to more.
 *
 * The 3×3 convolution has the stride, as in torchvision ("v1.5"); in the paper the first 1×1 has it.
 */
export class Bottleneck extends Module implements ResidualBlock {
  readonly site = new Site('bottleneck');
  readonly activation = 'relu';
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(shape: BlockShape) {
    super();
    const { inChannels, innerChannels, outChannels, stride, groups, key } = shape;
    this.conv1 = kaimingConv(inChannels, innerChannels, 1, { key: deriveKey(key, 'conv1') });
    this.bn1 = new BatchNorm2d(innerChannels);
    this.conv2 = kaimingConv(innerChannels, innerChannels, 3, { key: deriveKey(key, 'conv2'), stride, groups });
    this.bn2 = new BatchNorm2d(innerChannels);
    this.conv3 = kaimingConv(innerChannels, outChannels, 1, { key: deriveKey(key, 'conv3') });
    this.bn3 = new BatchNorm2d(outChannels);
    this.downsample = downsampleOf(shape);
  }

  /** The batch norm at the end of the branch. */
  get lastNorm(): BatchNorm2d {
    return this.bn3;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    let y = this.bn1.forwardRelu(this.conv1.forward(x, pass), pass);
    y = this.bn2.forwardRelu(this.conv2.forward(y, pass), pass);
    return this.bn3.forward(this.conv3.forward(y, pass), pass);
  }

  shortcut(x: Tensor, pass: Pass): Tensor {
    return this.downsample === null ? x : this.downsample.forward(x, pass);
  }
}

/** The projection of a shortcut where the shape changes: a 1×1 convolution and its batch norm. */
function downsampleOf(shape: BlockShape): Sequential | null {
  if (!changesShape(shape)) return null;
  const { inChannels, outChannels, stride, key } = shape;
  const conv = kaimingConv(inChannels, outChannels, 1, { key: deriveKey(key, 'downsample'), stride });
  return new Sequential(conv, new BatchNorm2d(outChannels));
}
