import { type DType, Operator, ones, type Tensor, zeros } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import type { AttentionMasks } from './multihead-attention.js';

const reshape = new Operator('aten::reshape');
const maskedFill = new Operator('aten::masked_fill', 'Scalar');
const logicalOr = new Operator('aten::logical_or');
const logicalNot = new Operator('aten::logical_not');
const add = new Operator('aten::add', 'Tensor');
const triu = new Operator('aten::triu');
const toDType = new Operator('aten::to', 'dtype');

/** The sizes that masks are for. */
export interface MaskSizes {
  readonly batch: number;
  readonly heads: number;
  readonly tokens: number;
  readonly keys: number;
  readonly dtype: DType;
}

/**
 * @internal PyTorch's masks (true hides) as one of `scaled_dot_product_attention` (true may be seen, or floats), that broadcasts
 * to `[B, heads, T, S]`, with what causality hides; null where there is none.
 */
export function mergeMasks(masks: AttentionMasks, sizes: MaskSizes): Tensor | null {
  const { batch, heads, tokens, keys, dtype } = sizes;
  const { keyPaddingMask = null, attnMask = null } = masks;
  const given: Tensor[] = [];
  if (keyPaddingMask !== null) {
    requireMask('keyPaddingMask', keyPaddingMask, [[batch, keys]]);
    given.push(reshape.call([keyPaddingMask, [batch, 1, 1, keys]]) as Tensor);
  }
  if (attnMask !== null) {
    const shapes = [
      [tokens, keys],
      [batch * heads, tokens, keys],
    ];
    requireMask('attnMask', attnMask, shapes);
    given.push(
      attnMask.shape.length === 2 ? attnMask : (reshape.call([attnMask, [batch, heads, tokens, keys]]) as Tensor),
    );
  }
  const [device] = given.map((each) => each.device);
  if (device === undefined) return null;
  if (masks.isCausal === true) given.push(triu.call([ones([tokens, keys], { dtype: 'bool', device }), 1]) as Tensor);
  if (given.every((each) => each.dtype === 'bool')) {
    return logicalNot.call([given.reduce((all, each) => logicalOr.call([all, each]) as Tensor)]) as Tensor;
  }
  // Bools among floats: what they hide is −∞.
  return given.map((each) => asFloats(each, dtype)).reduce((all, each) => add.call([all, each]) as Tensor);
}

function asFloats(mask: Tensor, dtype: DType): Tensor {
  if (mask.dtype !== 'bool') return toDType.call([mask, dtype]) as Tensor;
  return maskedFill.call([zeros(mask.shape, { dtype, device: mask.device }), mask, Number.NEGATIVE_INFINITY]) as Tensor;
}

const floats: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

function requireMask(name: string, { shape, dtype }: Tensor, shapes: readonly (readonly number[])[]): void {
  const written = shapes.map((each) => `[${each.join(', ')}]`);
  if (!written.includes(`[${shape.join(', ')}]`)) {
    throw new ShallowsError(
      `MultiheadAttention: ${name}: expected ${written.join(' or ')}, got [${shape.join(', ')}] - give it for these queries and keys`,
    );
  }
  if (dtype === 'bool' || floats.includes(dtype)) return;
  throw new ShallowsError(
    `MultiheadAttention: ${name}: expected bool, true where nothing is seen, or floats that are added, got ${dtype} - write mask.to('bool')`,
  );
}
