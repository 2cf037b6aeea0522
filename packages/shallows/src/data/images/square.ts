import { empty, Operator, scope, type Tensor } from '@shallows/torch';

/** How many times as long as wide a picture may be before its ends are cut off: resized whole, it could fill the memory. */
const longest = 16;

const view = new Operator('aten::view');
const permute = new Operator('aten::permute');
const slice = new Operator('aten::slice', 'Tensor');
const resizeTo = new Operator('aten::_upsample_bilinear2d_aa', 'out');

/**
 * A picture resized so that its shorter side is `size` (bilinear, antialiased: each pixel is the mean of what it covers,
 * weighted by a triangle) and cropped at its centre: bytes `[3, size, size]`.
 *
 * Equal to torchvision's `Resize(size)` and `CenterCrop(size)` of a uint8 tensor, for pictures up to 16 times as long as
 * wide. Computes in this thread alone, so that several threads may resize pictures at once.
 *
 * @param pixels uint8 `[height, width, 3]`
 * @see torchvision 0.28, transforms/v2/functional/_geometry.py
 */
export function toSquare(pixels: Tensor, size: number): Uint8Array<ArrayBuffer> {
  const [height = 0, width = 0] = pixels.shape;
  const short = Math.min(width, height);
  const most = longest * short;
  const [tall, wide] = [Math.min(height, most), Math.min(width, most)];
  const [rows, columns] = [Math.trunc((size * tall) / short), Math.trunc((size * wide) / short)];
  const planes = scope(() => {
    let picture: unknown = view.call([pixels, [1, height, width, 3]]);
    if (height > most) picture = middle(picture, 1, height, most);
    if (width > most) picture = middle(picture, 2, width, most);
    // Channels last in memory: libtorch has a fast kernel for bytes that lie like this, in whole numbers.
    picture = permute.call([picture, [0, 3, 1, 2]]);
    const resized = empty([1, 3, rows, columns], { dtype: 'uint8' });
    resizeTo.call([picture, [rows, columns], false, null, null], { out: resized });
    return resized.toBytes();
  });
  const square = new Uint8Array(3 * size * size);
  const [top, left] = [centred(rows - size), centred(columns - size)];
  // Row by row: libtorch would start other threads to copy more than 32,768 values.
  for (let channel = 0; channel < 3; channel++) {
    for (let row = 0; row < size; row++) {
      const from = (channel * rows + top + row) * columns + left;
      square.set(planes.subarray(from, from + size), (channel * size + row) * size);
    }
  }
  return square;
}

function middle(picture: unknown, dim: number, length: number, kept: number): unknown {
  const start = centred(length - kept);
  return slice.call([picture, dim, start, start + kept, 1]);
}

/** Half of it, a half rounded to even as in Python. */
function centred(room: number): number {
  const down = Math.floor(room / 2);
  return room % 2 === 0 || down % 2 === 0 ? down : down + 1;
}
