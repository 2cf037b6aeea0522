import { fromTypedArray, ops, type Tensor } from '@shallows/torch';

/** Where a place (x, y) of the result, from the centre, comes from: the rows [a, b, c] and [d, e, f] of the inverse map. */
export type AffineMatrix = readonly [number, number, number, number, number, number];

/** A turn about `centre`, then shears, then a shift: the inverse of torchvision's affine map with scale 1. */
export interface AffineSteps {
  /** Degrees. */
  readonly angle?: number;
  /** Degrees, along x and along y. */
  readonly shear?: readonly [number, number];
  /** Pixels. */
  readonly shift?: readonly [number, number];
  /** In pixels from the centre of the picture. */
  readonly centre?: readonly [number, number];
}

/**
 * The inverse matrix of T(shift) · C · R(angle) · Sy · Sx · C⁻¹.
 *
 * @see torchvision 0.28, transforms/functional.py, `_get_inverse_affine_matrix`
 */
export function inverseAffine({
  angle = 0,
  shear = [0, 0],
  shift = [0, 0],
  centre = [0, 0],
}: AffineSteps): AffineMatrix {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const [turn, sx, sy] = [radians(angle), radians(shear[0]), radians(shear[1])];
  const [cx, cy] = centre;
  const [tx, ty] = shift;
  const a = Math.cos(turn - sy) / Math.cos(sy);
  const b = (-Math.cos(turn - sy) * Math.tan(sx)) / Math.cos(sy) - Math.sin(turn);
  const c = Math.sin(turn - sy) / Math.cos(sy);
  const d = (-Math.sin(turn - sy) * Math.tan(sx)) / Math.cos(sy) + Math.cos(turn);
  return [d, -b, d * (-cx - tx) - b * (-cy - ty) + cx, -c, a, -c * (-cx - tx) + a * (-cy - ty) + cy];
}

/**
 * Maps each picture by its own matrix: the nearest pixel, black outside.
 *
 * @param images uint8 `[B, C, H, W]`
 * @see torchvision 0.28, transforms/_functional_tensor.py, `_gen_affine_grid` and `_apply_grid_transform`
 */
export function applyAffine(images: Tensor, matrices: readonly AffineMatrix[]): Tensor {
  const [batch = 0, , height = 0, width = 0] = images.shape;
  const { device } = images;
  const theta = fromTypedArray(Float32Array.from(matrices.flat()), [batch, 2, 3], { device });
  const halves = fromTypedArray(Float32Array.of(0.5 * width, 0.5 * height), [2], { device });
  const scaled: Tensor = ops.aten.div.Tensor(ops.aten.transpose.int(theta, 1, 2), halves);
  const places: Tensor = ops.aten.bmm.default(
    ops.aten.expand.default(pixels(height, width, images), [batch, -1, -1]),
    scaled,
  );
  const grid: Tensor = ops.aten.reshape.default(places, [batch, height, width, 2]);
  const nearest = 1;
  const zeros = 0;
  const sampled: Tensor = ops.aten.grid_sampler.default(images.to('float32'), grid, nearest, zeros, false);
  return (ops.aten.round_.default(sampled) as Tensor).to('uint8');
}

/** (x, y, 1) of the centre of every pixel, from the centre of the picture: `[1, H · W, 3]`. */
function pixels(height: number, width: number, { device }: Tensor): Tensor {
  const along = (size: number, shape: readonly number[]): Tensor => {
    const places: Tensor = ops.aten.add_.Scalar(
      ops.aten.arange.default(size, { dtype: 'float32', device }),
      0.5 - 0.5 * size,
    );
    return ops.aten.expand.default(ops.aten.reshape.default(places, shape), [height, width]);
  };
  const x = along(width, [1, width]);
  const y = along(height, [height, 1]);
  return ops.aten.reshape.default(ops.aten.stack.default([x, y, ops.aten.ones_like.default(x)], 2), [1, -1, 3]);
}
