import type { Tensor } from './tensor.js';

/** The operator of this package that reads pictures; there where the addon was built with libjpeg-turbo. */
export interface PictureOperators {
  /**
   * The pixels of a JPEG file: uint8 `[height, width, 3]`, red, green and blue, by the exact inverse transform, as PIL decodes
   * them. `bytes`: uint8 `[n]` on the CPU. Neither orientation nor a colour profile is looked at.
   *
   * @param shorter where above 0, the picture is decoded at the smallest of 1/8, 1/4, 1/2 of its size whose shorter side still
   *   has so many pixels, which is faster
   * @throws TorchError for a file that is not a JPEG, damaged or incomplete; with CMYK colours; with more pixels than there
   *   is memory for
   */
  decode_jpeg(bytes: Tensor, shorter?: number): Tensor;
}
