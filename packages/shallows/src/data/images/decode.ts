import { fromBytes, Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { isPlainJpeg } from './plain-jpeg.js';

/** Extensions of the files that {@link decode} is given; others in a folder are no pictures. */
export const extensions: readonly string[] = [
  '.avif',
  '.gif',
  '.jpeg',
  '.jpg',
  '.png',

  '.tif',
  '.tiff',
  '.webp',
];

/** A file of more than so many times the size that is asked for is decoded at a fraction. */
const ample = 4;
const decodeJpeg = new Operator('shallows::decode_jpeg');

/**
 * Decodes one picture file: upright, in sRGB, transparency put over white. Whole, but for pictures whose shorter side is more
 * than four times `size`: those are decoded at a fraction of their size that still has so many pixels.
 *
 * Plain JPEGs are decoded by libjpeg-turbo where the addon was built with it, in a third of the time that sharp takes for the
 * same pixels; all else by sharp, which is loaded when it is first needed.
 *
 * @returns uint8 `[height, width, 3]`, outside of any scope
 * @throws ShallowsError that names the file where it is no picture, damaged or cut short
 */
export async function decode(fn: string, bytes: Uint8Array, file: string, size: number): Promise<Tensor> {
  try {
    if (decodeJpeg.exists && isPlainJpeg(bytes)) return byTurbo(bytes, ample * size);
    return await bySharp(bytes, ample * size);
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error);
    throw new ShallowsError(`${fn}: expected a picture in ${file}, got ${got} - replace or remove the file`, {
      cause: error,
    });
  }
}

function byTurbo(bytes: Uint8Array, shorter: number): Tensor {
  using plain = fromBytes(bytes, 'uint8', [bytes.length]);
  return decodeJpeg.call([plain, shorter]) as Tensor;
}

async function bySharp(bytes: Uint8Array, shorter: number): Promise<Tensor> {
  const { default: sharp } = await import('sharp');
  const { data, info } = await sharp(bytes)
    .autoOrient()
    .resize({ width: shorter, height: shorter, fit: 'outside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`${info.channels} channels`);
  return fromBytes(data, 'uint8', [info.height, info.width, 3]);
}
