import { noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { Settings } from '../../nn/settings.js';
import type { Algorithm, Training } from '../algorithm.js';

const upsample = new Operator('aten::upsample_bilinear2d');

/** Options of {@link progressiveResizing}. */
export interface ProgressiveResizingOptions {
  /** s₀, the side of the first pictures as a share of the whole one, in (0, 1]. */
  readonly initialScale?: number;
  /** Share of the run at its beginning that keeps the first size, in [0, 1]. */
  readonly delayFraction?: number;
  /** Share of the run at its end that has whole pictures, in [0, 1]. */
  readonly finetuneFraction?: number;
  /** Sides are multiples of this many pixels, from 1. */
  readonly sizeIncrement?: number;
}

/**
 * Trains on small pictures first: sides of s₀ until the share d of the run, then evenly larger up to whole ones at the share 1 −
 * f, rounded to multiples of `sizeIncrement`, by bilinear interpolation. A step costs about the square of the scale. Evaluation
 * has whole pictures. For networks that take any size: those with pooling at the end, not with tables of positions.
 *
 * Defaults are Composer's: initialScale 0.5, delayFraction 0.5, finetuneFraction 0.2, sizeIncrement 4; there, pictures are
 * interpolated by the nearest pixel. The share of the run is that of finished batches; in a run that is measured in seconds it
 * is that of the time, and a resumed one differs.
 *
 * @throws ShallowsError for settings out of range; when the run starts, for inputs that are no pictures or a model that does not
 *   take smaller ones
 * @see MosaicML Composer, method card "Progressive Image Resizing"; fast.ai, DAWNBench 2018
 */
export function progressiveResizing(options: ProgressiveResizingOptions = {}): Algorithm {
  const { initialScale = 0.5, delayFraction = 0.5, finetuneFraction = 0.2, sizeIncrement = 4 } = options;
  const share = (value: number): boolean => value >= 0 && value <= 1;
  new Settings('progressiveResizing')
    .number('initialScale', initialScale, 'above 0, up to 1', (value) => value > 0 && value <= 1)
    .number('delayFraction', delayFraction, 'from 0 to 1', share)
    .number('finetuneFraction', finetuneFraction, 'from 0 to 1', share)
    .whole('sizeIncrement', sizeIncrement, 1)
    .expect(
      !(delayFraction + finetuneFraction > 1),
      'delayFraction + finetuneFraction',
      'at most 1',
      delayFraction + finetuneFraction,
    )
    .check('write progressiveResizing({ initialScale: 0.5, delayFraction: 0.5, finetuneFraction: 0.2 })');
  const settings = { initialScale, delayFraction, finetuneFraction, sizeIncrement };
  return {
    name: 'progressive-resizing',
    options: settings,
    onFitStart: (training) => requireResizable(training, settings),
    onBatchStart({ progress }, batch) {
      const [, , height = 0, width = 0] = batch.inputs.shape;
      batch.inputs = resized(batch.inputs, resizedSides([height, width], progress.fraction, settings));
    },
  };
}

/**
 * Height and width of the pictures after some share of a run.
 *
 * @param sides height and width of whole pictures
 * @param fraction share of the run that is done, in [0, 1]
 */
export function resizedSides(
  sides: readonly [height: number, width: number],
  fraction: number,
  { initialScale, delayFraction, finetuneFraction, sizeIncrement }: Required<ProgressiveResizingOptions>,
): readonly [height: number, width: number] {
  const ramp = 1 - finetuneFraction - delayFraction;
  const done = fraction < delayFraction ? 0 : ramp <= 0 ? 1 : Math.min((fraction - delayFraction) / ramp, 1);
  const scale = initialScale + (1 - initialScale) * done;
  const side = (whole: number): number => {
    if (scale >= 1) return whole;
    const multiple = Math.round((whole * scale) / sizeIncrement) * sizeIncrement;
    return Math.min(Math.max(multiple, sizeIncrement), whole);
  };
  return [side(sides[0]), side(sides[1])];
}

/** Pictures of other sides; the same tensor where nothing changes. */
function resized(x: Tensor, [height, width]: readonly [number, number]): Tensor {
  const { shape } = x;
  if (shape[2] === height && shape[3] === width) return x;
  return upsample.call([x, [height, width], false]) as Tensor;
}

function requireResizable(training: Training, settings: Required<ProgressiveResizingOptions>): void {
  const { model, data } = training;
  const [, height, width] = data.inputShape;
  if (data.inputShape.length !== 3 || height === undefined || width === undefined) {
    throw new ShallowsError(
      `progressiveResizing: expected pictures [C, H, W], got inputs [${data.inputShape.join(', ')}] - leave it out`,
    );
  }
  const sides = resizedSides([height, width], 0, settings);
  try {
    noGrad(() => scope(() => void model.forward(resized(training.exampleRow(), sides))));
  } catch (error) {
    throw new ShallowsError(
      `progressiveResizing: expected a model that takes pictures of ${sides.join(' × ')}, got an error - use a network that ` +
        `pools its last features, or a larger initialScale\n  ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}
