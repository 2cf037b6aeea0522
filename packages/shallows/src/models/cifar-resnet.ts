import { Operator, type Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from '../depth/index.js';
import { Dropout, type DropRate, nameDropouts } from '../dropout/index.js';
import { ShallowsError, shown } from '../errors.js';
import { BatchNorm2d, Conv2d, evaluation, kaimingNormal_, Linear, Module, type Pass, Sequential } from '../nn/index.js';
import { Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';

const mean = new Operator('aten::mean', 'dim');
const slice = new Operator('aten::slice', 'Tensor');
const pad = new Operator('aten::constant_pad_nd');

/** Options of {@link cifarResnet}. */
export interface CifarResnetOptions {
  /** Layers with weights: 6n + 2, such as 20, 32, 44, 56, 110, 1202. */
  readonly depth: number;
  readonly classes: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Channels of the pictures: 3 for colour, 1 for grey. */
  readonly channels?: number;
  /** Channels of the three stages; none has fewer than the one before, as shortcut A only adds channels. */
  readonly widths?: readonly [number, number, number];
  /** Rate of a dropout before the last layer. */
  readonly headDrop?: DropRate;
}

function conv3x3(inChannels: number, outChannels: number, stride: number, key: Key): Conv2d {
  const conv = new Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false, key });
  kaimingNormal_(conv.weight, { key: deriveKey(key, 'he'), mode: 'fanOut' });
  return conv;
}

/**
 * relu(shortcut(x) + bn2(conv2(relu(bn1(conv1(x)))))), with the parameter-free shortcut A of the paper: where the shape
 * changes, every second pixel and zeros for the new channels.
 */
class BasicBlock extends Module implements ResidualBlock {
  readonly site = new Site('basic');
  readonly activation = 'relu';
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly #stride: number;
  readonly #added: number;

  constructor(inChannels: number, outChannels: number, stride: number, key: Key) {
    super();
    this.conv1 = conv3x3(inChannels, outChannels, stride, deriveKey(key, 'conv1'));
    this.bn1 = new BatchNorm2d(outChannels);
    this.conv2 = conv3x3(outChannels, outChannels, 1, deriveKey(key, 'conv2'));
    this.bn2 = new BatchNorm2d(outChannels);
    this.#stride = stride;
    this.#added = outChannels - inChannels;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    const inner = this.bn1.forwardRelu(this.conv1.forward(x, pass), pass);
    return this.bn2.forward(this.conv2.forward(inner, pass), pass);
  }

  shortcut(x: Tensor): Tensor {
    if (this.#stride === 1 && this.#added === 0) return x;
    const rows = slice.call([x, 2, 0, null, this.#stride]);
    const smaller = slice.call([rows, 3, 0, null, this.#stride]);
    const before = Math.floor(this.#added / 2);
    return pad.call([smaller, [0, 0, 0, 0, before, this.#added - before]]) as Tensor;
  }
}

/** The residual network for 32×32 pictures (He et al. 2016, section 4.2), as {@link cifarResnet} makes it. */
export class CifarResnet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly dropout: Dropout;
  readonly fc: Linear;

  constructor({ depth, classes, key, channels = 3, widths = [16, 32, 64], headDrop = 0 }: CifarResnetOptions) {
    super();
    const blocks = (Number(depth) - 2) / 6;
    if (!Number.isSafeInteger(blocks) || blocks < 1) {
      throw new ShallowsError(
        `cifarResnet: expected a depth of 6n + 2 from 8, got ${shown(depth)} - take 20, 32, 44, 56, 110 or 1202`,
      );
    }
    const [narrow, middle, wide] = widths;
    checkRates(new Settings('cifarResnet'), { headDrop })
      .whole('classes', classes, 1)
      .whole('channels', channels, 1)
      .whole('widths[0]', narrow, 1)
      .whole('widths[1]', middle, narrow)
      .whole('widths[2]', wide, middle)
      .key(key)
      .check('write cifarResnet({ depth, classes, key })');
    const stage = (name: string, inChannels: number, outChannels: number, stride: number): Sequential =>
      new Sequential(
        ...Array.from({ length: blocks }, (_, i) => {
          const first = i === 0;
          return new BasicBlock(
            first ? inChannels : outChannels,
            outChannels,
            first ? stride : 1,
            deriveKey(key, name, i),
          );
        }),
      );
    this.conv1 = conv3x3(channels, narrow, 1, deriveKey(key, 'conv1'));
    this.bn1 = new BatchNorm2d(narrow);
    this.layer1 = stage('layer1', narrow, narrow, 1);
    this.layer2 = stage('layer2', narrow, middle, 2);
    this.layer3 = stage('layer3', middle, wide, 2);
    this.dropout = new Dropout(headDrop);
    this.fc = new Linear(wide, classes, { key: deriveKey(key, 'fc') });
    nameDropouts(this);
  }

  /**
   * @param x pictures `[B, channels, H, W]`, float
   * @returns logits `[B, classes]`
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    let y = this.bn1.forwardRelu(this.conv1.forward(x, pass), pass);
    y = this.layer1.forward(y, pass);
    y = this.layer2.forward(y, pass);
    y = this.layer3.forward(y, pass);
    return this.fc.forward(this.dropout.forward(mean.call([y, [2, 3]]) as Tensor, pass), pass);
  }
}

/**
 * A residual network of 6n + 2 layers for small pictures, with a site in each of its 3n blocks: `layer1.0`, …
 *
 * Convolutions start from He's normal fill by their outputs, batch norm from γ = 1 and β = 0, the last layer as
 * PyTorch's does; all a function of the key. Parameters for 10 classes: 269,722 at depth 20, 1,727,962 at 110.
 *
 * @throws ShallowsError for another depth, or sizes that are no whole numbers from 1
 */
export function cifarResnet(options: CifarResnetOptions): CifarResnet {
  return new CifarResnet(options);
}
