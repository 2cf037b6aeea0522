import { fromTypedArray, ops, type Tensor } from '@shallows/torch';
import type { ArrayRows } from './array-rows.js';

/** What each feature or channel of inputs is scaled by. */
export interface ArrayScaling {
  readonly mean: number[];
  readonly std: number[];
}

/** Over rows and all dimensions after the second one, in float64. A feature that never changes has deviation 1. */
export function scalingOf({ inputs, count }: ArrayRows, features: number): ArrayScaling {
  const area = inputs.length / count / features;
  const mean = new Float64Array(features);
  const squares = new Float64Array(features);
  const each = (visit: (feature: number, value: number) => void): void => {
    for (let i = 0; i < inputs.length; i++) visit(Math.floor(i / area) % features, Number(inputs[i]));
  };
  each((feature, value) => {
    mean[feature] = (mean[feature] ?? 0) + value / (count * area);
  });
  each((feature, value) => {
    squares[feature] = (squares[feature] ?? 0) + (value - (mean[feature] ?? 0)) ** 2;
  });
  const std = Array.from(squares, (sum, i) => {
    const deviation = Math.sqrt(sum / (count * area));
    return deviation > 1e-7 * Math.abs(mean[i] ?? 0) ? deviation : 1;
  });
  return { mean: [...mean], std };
}

/** Scales inputs in place. */
export function scaled(inputs: Tensor, scaling: ArrayScaling | null): Tensor {
  if (scaling === null) return inputs;
  const shape = [1, scaling.mean.length, ...inputs.shape.slice(2).map(() => 1)];
  using mean = fromTypedArray(Float32Array.from(scaling.mean), shape);
  using std = fromTypedArray(Float32Array.from(scaling.std), shape);
  ops.aten.sub_.Tensor(inputs, mean);
  ops.aten.div_.Tensor(inputs, std);
  return inputs;
}
