import { isTensor, scope, type Tensor } from '@shallows/torch';
import type { Dataset } from '../../data/index.js';
import type { UncertainRow } from '../../track/index.js';
import { encodePng } from './png.js';

/** How many rows are shown. */
const MOST_ROWS = 16;
/** Larger pictures would make the stored evaluation large. */
const MOST_PIXELS = 96 * 96;

/** What is known of every row of a validation set. */
export interface JudgedRows {
  readonly targets: Int32Array;
  readonly predictions: Int32Array;
  readonly confidence: Float64Array;
  readonly entropy: Float64Array;
  readonly mutualInformation: Float64Array;
}

/** The rows of highest entropy, the highest first, with their pictures where the set holds some in memory. */
export function mostUncertain(dataset: Dataset, rows: JudgedRows): readonly UncertainRow[] {
  const { targets, predictions, confidence, entropy, mutualInformation } = rows;
  const nameOf = (label = 0): string => dataset.classes?.[label] ?? String(label);
  const order = Array.from(entropy.keys()).sort((a, b) => (entropy[b] ?? 0) - (entropy[a] ?? 0) || a - b);
  return order.slice(0, MOST_ROWS).map((row) => ({
    row,
    target: nameOf(targets[row]),
    prediction: nameOf(predictions[row]),
    confidence: confidence[row] ?? 0,
    entropy: entropy[row] ?? 0,
    mutualInformation: mutualInformation[row] ?? 0,
    picture: pictureOf(dataset, row),
  }));
}

function pictureOf(dataset: Dataset, row: number): string | null {
  const images = picturesOf(dataset);
  const [, channels, height = 0, width = 0] = images?.shape ?? [];
  if (images === null || (channels !== 1 && channels !== 3)) return null;
  return scope(() => {
    // Every k-th pixel of a large picture.
    const step = Math.ceil(Math.sqrt((height * width) / MOST_PIXELS));
    const small = images.select(0, row).slice(1, 0, height, step).slice(2, 0, width, step).contiguous();
    const [, h = 0, w = 0] = small.shape;
    const planes = Uint8Array.from(small.reshape([-1]).toArray(), Number);
    return `data:image/png;base64,${encodePng(planes, [channels, h, w]).toString('base64')}`;
  });
}

function picturesOf(dataset: Dataset): Tensor | null {
  if (!('images' in dataset) || !isTensor(dataset.images)) return null;
  const { images } = dataset;
  return images.dtype === 'uint8' && images.ndim === 4 ? images : null;
}
