import { ops, scope, type Tensor } from '@shallows/torch';

/** What a pixel value v (in [0, 255]) becomes in channel c: (v / 255 − mean[c]) / std[c]. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Mean and standard deviation (over the population, in float64) of v / 255 in each channel of pictures.
 *
 * From the histogram of the 256 values, so no float copy of the pictures is made. A channel of one value has deviation
 * 0, which is given as 1: normalised it is then 0.
 *
 * @param images uint8 `[N, C, H, W]`
 */
export function channelStatistics(images: Tensor): { mean: number[]; std: number[] } {
  return statisticsOf(channelHistograms(images));
}

/** How often each of the 256 values occurs in each channel of pictures. @param images uint8 `[N, C, H, W]` */
export function channelHistograms(images: Tensor): number[][] {
  const channels = images.shape[1] ?? 0;
  return Array.from({ length: channels }, (_, channel) =>
    scope(() => {
      const values: Tensor = ops.aten.select.int(images, 1, channel);
      const histogram: Tensor = ops.aten.bincount.default(ops.aten.flatten.using_ints(values), null, 256);
      return Array.from(histogram.toArray(), Number);
    }),
  );
}

/** The same from the histograms of the channels. */
export function statisticsOf(histograms: readonly ArrayLike<number>[]): { mean: number[]; std: number[] } {
  const mean: number[] = [];
  const std: number[] = [];
  for (const histogram of histograms) {
    const counts = Array.from(histogram);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const average = counts.reduce((sum, count, value) => sum + count * (value / 255), 0) / total;
    const variance = counts.reduce((sum, count, value) => sum + count * (value / 255 - average) ** 2, 0) / total;
    mean.push(average);
    // Below this, what is left is the rounding of the mean: the smallest real deviation is 1/255/sqrt(pixels).
    std.push(variance < 1e-20 ? 1 : Math.sqrt(variance));
  }
  return { mean, std };
}
