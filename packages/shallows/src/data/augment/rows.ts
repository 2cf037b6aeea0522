import { fromTypedArray, Operator, type Tensor } from '@shallows/torch';

const select = new Operator('aten::index_select');
const copyRows = new Operator('aten::index_copy_');

/**
 * Changes some pictures of a batch in place, all of them in one go.
 *
 * @param images `[B, C, H, W]`
 * @param rows places in the batch, each once
 * @param change is given `[rows, C, H, W]` and gives as many of the same kind
 */
export function changeRows(images: Tensor, rows: readonly number[], change: (some: Tensor) => Tensor): Tensor {
  const [batch = 0] = images.shape;
  if (rows.length === 0) return images;
  if (rows.length === batch) return change(images);
  const index = fromTypedArray(BigInt64Array.from(rows, BigInt), [rows.length], { device: images.device });
  return copyRows.call([images, 0, index, change(select.call([images, 0, index]) as Tensor)]) as Tensor;
}

/** A number for each picture, that broadcasts: float32 `[B, 1, 1, 1]`. */
export function perPicture(values: readonly number[], { device }: Tensor): Tensor {
  return fromTypedArray(Float32Array.from(values), [values.length, 1, 1, 1], { device });
}
