import { Operator, ones, type Tensor } from '@shallows/torch';
import type { Pass } from './pass.js';
import { spread, spreadAlong } from './spread.js';
import { isActive, placeOf, type StochasticLayer } from './stochastic.js';

const fused = new Operator('aten::scaled_dot_product_attention');
const matmul = new Operator('aten::matmul');
const mul = new Operator('aten::mul', 'Scalar');
const transpose = new Operator('aten::transpose', 'int');
const add = new Operator('aten::add', 'Tensor');
const maskedFill = new Operator('aten::masked_fill', 'Scalar');
const logicalNot = new Operator('aten::logical_not');
const triu = new Operator('aten::triu');
const safeSoftmax = new Operator('aten::_safe_softmax');

/** What attention looks at, each `[B, heads, T or S, features]`. */
export interface AttentionParts {
  readonly query: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** How attention looks. */
export interface AttentionRules {
  /** bool, true where a query may look, or floats that are added; broadcast to `[B, heads, T, S]`. */
  readonly mask: Tensor | null;
  readonly causal: boolean;
  /** A dropout of the weights. */
  readonly dropout: StochasticLayer | null;
}

/** @internal softmax(q·kᵀ / √d + mask) · v, by the fused operator where no weights are dropped. */
export function attend(parts: AttentionParts, { mask, causal, dropout }: AttentionRules, pass: Pass): Tensor {
  const { query, keys, values } = parts;
  if (!isActive(dropout, pass)) return fused.call([query, keys, values, mask, 0, causal]) as Tensor;
  const [q, k, v] = [query, keys, values].map((each) => spread(each, pass, placeOf(dropout))) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const own = mask === null ? null : spreadAlong(mask, q, pass);
  return matmul.call([dropout.forward(attentionWeights(q, k, own, causal), pass), v]) as Tensor;
}

/** @internal softmax(q·kᵀ / √d + mask), `[B, heads, T, S]`; 0 for a query that may look nowhere. */
export function attentionWeights(query: Tensor, keys: Tensor, mask: Tensor | null, causal: boolean): Tensor {
  const scale = 1 / Math.sqrt(query.shape.at(-1) ?? 1);
  let scores = matmul.call([mul.call([query, scale]), transpose.call([keys, -2, -1])]) as Tensor;
  const { shape, device } = scores;
  const hidden: Tensor[] = [];
  if (causal) hidden.push(triu.call([ones(shape.slice(-2), { dtype: 'bool', device }), 1]) as Tensor);
  if (mask?.dtype === 'bool') hidden.push(logicalNot.call([mask]) as Tensor);
  else if (mask !== null) scores = add.call([scores, mask]) as Tensor;
  for (const each of hidden) scores = maskedFill.call([scores, each, Number.NEGATIVE_INFINITY]) as Tensor;
  return safeSoftmax.call([scores, -1]) as Tensor;
}
