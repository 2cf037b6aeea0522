import { arange, empty, Operator, scope, type Tensor, zeros } from '@shallows/torch';
import { Dropout, type DropRate } from '../dropout/index.js';
import { Buffer, evaluation, Linear, Module, Parameter, type Pass, spread, truncatedNormal_ } from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';

const pad = new Operator('aten::constant_pad_nd');
const roll = new Operator('aten::roll');
const reshape = new Operator('aten::reshape');
const permute = new Operator('aten::permute');
const unbind = new Operator('aten::unbind', 'int');
const transpose = new Operator('aten::transpose', 'int');
const mul = new Operator('aten::mul', 'Tensor');
const matmul = new Operator('aten::matmul');
const add = new Operator('aten::add', 'Tensor');
const add_ = new Operator('aten::add_', 'Tensor');
const softmax = new Operator('aten::softmax', 'int');
const slice = new Operator('aten::slice', 'Tensor');
const narrow = new Operator('aten::narrow');
const embedding = new Operator('aten::embedding');
const contiguous = new Operator('aten::contiguous');
const unsqueeze = new Operator('aten::unsqueeze');
const notEqual = new Operator('aten::ne', 'Tensor');

type Size = readonly [height: number, width: number];

/** Options of {@link WindowAttention}; whoever makes one has checked them. */
export interface WindowAttentionOptions {
  readonly key: Key;
  readonly heads: number;
  readonly window: Size;
  /** How far the windows are moved; below their size. */
  readonly shift: Size;
  /** Rate of a dropout of the attention weights. */
  readonly attnDrop?: DropRate;
  /** Rate of a dropout of the output. */
  readonly projDrop?: DropRate;
}

/**
 * Multi-head self-attention inside windows of a map, with a learnt bias for each relative position (Liu et al. 2021).
 * Input and output `[B, H, W, dim]`.
 *
 * A map that the windows do not fill gets zeros at the bottom and at the right. Windows that are shifted wrap around;
 * what does not lie side by side does not see each other. A side no longer than the window is not shifted.
 */
export class WindowAttention extends Module {
  /** `[(2 · height − 1) · (2 · width − 1), heads]` of the window */
  readonly relativePositionBiasTable: Parameter;
  /** Row of the table for each pair of pixels of a window, int64 `[N · N]`. */
  readonly relativePositionIndex: Buffer;
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly attnDrop: Dropout;
  readonly projDrop: Dropout;
  readonly heads: number;
  readonly window: Size;
  readonly shift: Size;

  constructor(dim: number, { key, heads, window, shift, attnDrop = 0, projDrop = 0 }: WindowAttentionOptions) {
    super();
    const [height, width] = window;
    const rows = (2 * height - 1) * (2 * width - 1);
    const fill = { key: deriveKey(key, 'table'), std: 0.02 };
    this.relativePositionBiasTable = scope(() => new Parameter(truncatedNormal_(empty([rows, heads]), fill)));
    this.relativePositionIndex = scope(() => new Buffer(relativePositions(window)));
    this.qkv = new Linear(dim, 3 * dim, { key: deriveKey(key, 'qkv') });
    this.proj = new Linear(dim, dim, { key: deriveKey(key, 'proj') });
    this.attnDrop = new Dropout(attnDrop);
    this.projDrop = new Dropout(projDrop);
    this.heads = heads;
    this.window = window;
    this.shift = shift;
  }

  override forward(input: Tensor, pass: Pass = evaluation): Tensor {
    const x = this.attnDrop.isActive(pass) ? spread(input, pass, this.attnDrop.site.name) : input;
    const [batch = 0, height = 0, width = 0, dim = 0] = x.shape;
    const [windowHeight, windowWidth] = this.window;
    const down = Math.ceil(height / windowHeight);
    const across = Math.ceil(width / windowWidth);
    const padded: Size = [down * windowHeight, across * windowWidth];
    const fits = padded[0] === height && padded[1] === width;
    const shift: Size = [down > 1 ? this.shift[0] : 0, across > 1 ? this.shift[1] : 0];
    const still = shift[0] === 0 && shift[1] === 0;

    let y = fits ? x : (pad.call([x, [0, 0, 0, padded[1] - width, 0, padded[0] - height]]) as Tensor);
    if (!still) y = roll.call([y, [-shift[0], -shift[1]], [1, 2]]) as Tensor;
    // One copy orders queries, keys and values by window and head.
    const pixels = reshape.call([
      this.qkv.forward(y, pass),
      [batch, down, windowHeight, across, windowWidth, 3, this.heads, dim / this.heads],
    ]);
    const windows = reshape.call([
      permute.call([pixels, [5, 0, 1, 3, 6, 2, 4, 7]]),
      [3, batch, down * across, this.heads, windowHeight * windowWidth, dim / this.heads],
    ]);
    const bias = this.#bias(padded, shift);
    const attended = reshape.call([
      attend(unbind.call([windows]) as Tensor[], bias, (dim / this.heads) ** -0.5, (weights) =>
        this.attnDrop.forward(weights, pass),
      ),
      [batch, down, across, this.heads, windowHeight, windowWidth, dim / this.heads],
    ]);
    y = reshape.call([permute.call([attended, [0, 1, 4, 2, 5, 3, 6]]), [batch, ...padded, dim]]) as Tensor;
    if (!still) y = roll.call([y, shift, [1, 2]]) as Tensor;
    if (!fits) y = slice.call([slice.call([y, 1, 0, height]), 2, 0, width]) as Tensor;
    return this.projDrop.forward(this.proj.forward(y, pass), pass);
  }

  /** What is added to the products of queries and keys: `[1 or windows, heads, N, N]`. */
  #bias([height, width]: Size, shift: Size): Tensor {
    const [windowHeight, windowWidth] = this.window;
    const pixels = windowHeight * windowWidth;
    const table = embedding.call([this.relativePositionBiasTable, this.relativePositionIndex]);
    const byHead = permute.call([reshape.call([table, [pixels, pixels, this.heads]]), [2, 0, 1]]);
    const bias = contiguous.call([byHead]) as Tensor;
    if (shift[0] === 0 && shift[1] === 0) return bias;
    // A shifted window holds pixels from up to four corners of the map: each pixel's corner as a number.
    const corners = zeros([height, width], { device: bias.device });
    add_.call([narrow.call([corners, 0, height - shift[0], shift[0]]), 1]);
    add_.call([narrow.call([corners, 1, width - shift[1], shift[1]]), 2]);
    const [down, across] = [height / windowHeight, width / windowWidth];
    const split = reshape.call([corners, [down, windowHeight, across, windowWidth]]);
    const ordered = reshape.call([permute.call([split, [0, 2, 1, 3]]), [down * across, 1, pixels, 1]]);
    const apart = notEqual.call([ordered, transpose.call([ordered, 2, 3])]);
    // The paper's code subtracts 100 rather than infinity, and so did what its weights were learnt with.
    return add.call([unsqueeze.call([bias, 0]), apart], { alpha: -100 }) as Tensor;
  }
}

/**
 * softmax(scale · q·kᵀ + bias) · v, with what `drop` leaves of the weights. Not by `scaled_dot_product_attention`: its fused kernel for CPUs has no gradient
 * for a bias, and what it falls back to takes more steps than these.
 */
function attend(parts: readonly Tensor[], bias: Tensor, scale: number, drop: (weights: Tensor) => Tensor): Tensor {
  const [query, keys, values] = parts;
  const scores = matmul.call([mul.call([query, scale]), transpose.call([keys, -2, -1])]);
  return matmul.call([drop(softmax.call([add_.call([scores, bias]), -1]) as Tensor), values]) as Tensor;
}

/** (Δrow + height − 1) · (2 · width − 1) + Δcolumn + width − 1 for each pair of a window's pixels, `[N · N]`. */
function relativePositions([height, width]: Size): Tensor {
  const along = (size: number): Tensor => {
    const positions = arange(size);
    return positions
      .unsqueeze(1)
      .sub(positions)
      .add(size - 1);
  };
  const rows = along(height).mul(2 * width - 1);
  const pairs = rows.reshape([height, 1, height, 1]).add(along(width).reshape([1, width, 1, width]));
  return pairs.reshape([-1]);
}
