import { TorchError } from './errors.js';
import type { TracedCall, TracedTensor, TracedValue } from './trace.js';

const mostCalls = 10_000_000;

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

function tensorAt(inputs: readonly TracedValue[], index: number): TracedTensor | undefined {
  const value = inputs[index];
  return value?.kind === 'tensor' ? value.tensor : undefined;
}

/** Multiply-adds of one call, counted as two operations each; 0 for operators that are not products. */
export function flopsOf(call: TracedCall): number {
  const output = call.outputs[0];
  if (output === undefined) return 0;
  const size = product(output.shape);
  switch (call.op) {
    case 'aten::conv1d':
    case 'aten::conv2d':
    case 'aten::conv3d':
    case 'aten::convolution':
    case 'aten::conv_transpose2d': {
      // Every output element is a product with one filter: weight is [out, in / groups, ...kernel].
      const weight = tensorAt(call.inputs, 1);
      if (weight === undefined) return 0;
      if (call.op === 'aten::conv_transpose2d') {
        const input = tensorAt(call.inputs, 0);
        return 2 * product(input?.shape ?? []) * product(weight.shape.slice(1));
      }
      return 2 * size * product(weight.shape.slice(1));
    }
    case 'aten::linear':
    case 'shallows::linear':
    case 'aten::mm':
    case 'aten::bmm':
    case 'aten::matmul':
    case 'aten::mv':
    case 'aten::dot':
      return 2 * size * (tensorAt(call.inputs, 0)?.shape.at(-1) ?? 0);
    case 'aten::addmm':
    case 'aten::baddbmm':
      return 2 * size * (tensorAt(call.inputs, 1)?.shape.at(-1) ?? 0);
    case 'aten::scaled_dot_product_attention': {
      const query = tensorAt(call.inputs, 0)?.shape ?? [];
      const keys = tensorAt(call.inputs, 1)?.shape.at(-2) ?? 0;
      const scores = product(query.slice(0, -1)) * keys;
      return 2 * scores * (query.at(-1) ?? 0) + 2 * scores * (output.shape.at(-1) ?? 0);
    }
    default:
      return 0;
  }
}

/** Floating point operations of the convolutions and matrix products in a trace, a multiply-add counted as two. */
export function flops(calls: readonly TracedCall[]): number {
  if (!Array.isArray(calls) || calls.length > mostCalls) {
    throw new TorchError(`flops: expected the calls of a trace, at most ${mostCalls}, got ${typeof calls}`);
  }
  return calls.reduce((sum, call) => sum + flopsOf(call), 0);
}
