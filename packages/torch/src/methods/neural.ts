import { Operator } from '../operator.js';
import { op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Size } from './types.js';

/** Options of convolutions. */
export interface ConvOptions {
  readonly stride?: Size;
  /** Zeros around the input, or 'same' and 'valid'. */
  readonly padding?: Size | 'same' | 'valid';
  readonly dilation?: Size;
  /** Into how many groups the channels are split. */
  readonly groups?: number;
}

/** Options of transposed convolutions. */
export interface ConvTransposeOptions {
  readonly stride?: Size;
  readonly padding?: Size;
  readonly outputPadding?: Size;
  readonly groups?: number;
  readonly dilation?: Size;
}

/** Options of max pooling. */
export interface MaxPoolOptions {
  /** The kernel's size unless given. */
  readonly stride?: Size;
  readonly padding?: Size;
  readonly dilation?: Size;
  readonly ceilMode?: boolean;
}

/** Options of average pooling. */
export interface AvgPoolOptions {
  /** The kernel's size unless given. */
  readonly stride?: Size;
  readonly padding?: Size;
  readonly ceilMode?: boolean;
  /** Whether padding counts in the divisor. */
  readonly countIncludePad?: boolean;
}

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  readonly weight?: Tensor | null;
  readonly bias?: Tensor | null;
  /** Normalise with the batch's own statistics, and move the running ones towards them. */
  readonly training?: boolean;
  readonly momentum?: number;
  readonly eps?: number;
}

/** Options of the normalisations with weight and bias. */
export interface NormOptions {
  readonly weight?: Tensor | null;
  readonly bias?: Tensor | null;
  readonly eps?: number;
}

type Conv = (input: Tensor, weight: Tensor, bias?: Tensor | null, options?: ConvOptions) => Tensor;
type MaxPool = (self: Tensor, kernelSize: Size, options?: MaxPoolOptions) => Tensor;
type AvgPool = (self: Tensor, kernelSize: Size, options?: AvgPoolOptions) => Tensor;
type AdaptivePool = (self: Tensor, outputSize: Size) => Tensor;

const batchNormOp = new Operator('aten::batch_norm');

/**
 * (x − mean) ÷ √(var + eps) · weight + bias, a mean and variance for each channel of [B, C, ...].
 *
 * Without `training` the running statistics are used; with it the batch's, and the running ones (where given) become
 * (1 − momentum) · running + momentum · batch. Ioffe and Szegedy 2015.
 */
function batchNorm(
  self: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  { weight = null, bias = null, training = false, momentum = 0.1, eps = 1e-5 }: BatchNormOptions = {},
): Tensor {
  return batchNormOp.call([self, weight, bias, runningMean, runningVar, training, momentum, eps, true]) as Tensor;
}

/** Layers of neural networks as functions. */
export const neural = {
  /** x · weightᵀ + bias: [..., in], [out, in], [out] → [..., out] */
  linear: op<(input: Tensor, weight: Tensor, bias?: Tensor | null) => Tensor>('linear'),
  /** [B, C, L], [out, C / groups, k] → [B, out, L′] */
  conv1d: op<Conv>('conv1d', '', 'padding'),
  /** [B, C, H, W], [out, C / groups, kh, kw] → [B, out, H′, W′] */
  conv2d: op<Conv>('conv2d', '', 'padding'),
  /** [B, C, D, H, W], [out, C / groups, kd, kh, kw] → [B, out, D′, H′, W′] */
  conv3d: op<Conv>('conv3d', '', 'padding'),
  /** The gradient of conv2d with respect to its input, as a layer: [B, in, H, W], [in, out / groups, kh, kw] → [B, out, H′, W′] */
  convTranspose2d: op<(input: Tensor, weight: Tensor, bias?: Tensor | null, options?: ConvTransposeOptions) => Tensor>(
    'conv_transpose2d',
    'input',
  ),
  maxPool1d: op<MaxPool>('max_pool1d'),
  /** The largest of each window: [B, C, H, W] → [B, C, H′, W′] */
  maxPool2d: op<MaxPool>('max_pool2d'),
  /** As maxPool2d, with the places of the largest: [values, indices]. */
  maxPool2dWithIndices:
    op<(self: Tensor, kernelSize: Size, options?: MaxPoolOptions) => [Tensor, Tensor]>('max_pool2d_with_indices'),
  avgPool1d: op<AvgPool>('avg_pool1d'),
  /** The mean of each window: [B, C, H, W] → [B, C, H′, W′] */
  avgPool2d: op<AvgPool>('avg_pool2d'),
  adaptiveAvgPool1d: op<AdaptivePool>('adaptive_avg_pool1d'),
  /** Means over windows that give the output size: [B, C, H, W] → [B, C, h, w] */
  adaptiveAvgPool2d: op<AdaptivePool>('adaptive_avg_pool2d'),
  /** Maxima over windows that give the output size, with their places: [values, indices]. */
  adaptiveMaxPool2d: op<(self: Tensor, outputSize: Size) => [Tensor, Tensor]>('adaptive_max_pool2d'),
  batchNorm,
  /** Normalised over the last dimensions, given by their sizes. Ba, Kiros and Hinton 2016. */
  layerNorm: op<(input: Tensor, normalizedShape: readonly number[], options?: NormOptions) => Tensor>('layer_norm'),
  /** Normalised over groups of channels of [B, C, ...]. Wu and He 2018. */
  groupNorm: op<(input: Tensor, numGroups: number, options?: NormOptions) => Tensor>('group_norm'),
  /** x ÷ √(mean x² + eps) · weight over the last dimensions, given by their sizes. */
  rmsNorm:
    op<
      (
        input: Tensor,
        normalizedShape: readonly number[],
        options?: { readonly weight?: Tensor | null; readonly eps?: number | null },
      ) => Tensor
    >('rms_norm'),
  /** Rows of weight [n, d] that indices name: [...] → [..., d] */
  embedding: op<(weight: Tensor, indices: Tensor, options?: { readonly paddingIdx?: number }) => Tensor>('embedding'),
  /** Widened at the borders: `pad` lists before and after of the last dimension, then of the one before. */
  pad: op<
    (
      self: Tensor,
      pad: readonly number[],
      mode?: 'constant' | 'reflect' | 'replicate' | 'circular',
      value?: number | null,
    ) => Tensor
  >('pad'),
  /** softmax(query · keyᵀ · scale + attnMask) · value; scale is 1 ÷ √d unless given. Vaswani et al. 2017. */
  scaledDotProductAttention:
    op<
      (
        query: Tensor,
        key: Tensor,
        value: Tensor,
        options?: {
          readonly attnMask?: Tensor | null;
          readonly isCausal?: boolean;
          readonly scale?: number | null;
          readonly enableGqa?: boolean;
        },
      ) => Tensor
    >('scaled_dot_product_attention'),
  /** [B, C · r², H, W] → [B, C, H · r, W · r] */
  pixelShuffle: op<(self: Tensor, upscaleFactor: number) => Tensor>('pixel_shuffle'),
  /** [B, C, H, W] → [B, C, h, w] by the nearest pixel. */
  upsampleNearest2d: op<(self: Tensor, outputSize: readonly number[]) => Tensor>('upsample_nearest2d'),
  /** [B, C, H, W] → [B, C, h, w], linear between pixels. */
  upsampleBilinear2d:
    op<(self: Tensor, outputSize: readonly number[], alignCorners: boolean) => Tensor>('upsample_bilinear2d'),
};
