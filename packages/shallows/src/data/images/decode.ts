import { ShallowsError } from '../../errors.js';

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

/** A decoded picture. */
export interface Pixels {
  /** Red, green and blue of each pixel: `[height, width, 3]`. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Decodes one picture file whole, on sharp, which is loaded at the first call: upright, in sRGB, transparency put over white.
 *
 * @throws ShallowsError that names the file where it is no picture, damaged or cut short
 */
export async function decode(fn: string, bytes: Uint8Array, file: string): Promise<Pixels> {
  const { default: sharp } = await import('sharp');
  try {
    const { data, info } = await sharp(bytes)
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3) throw new Error(`${channels} channels`);
    return { data, width, height };
  } catch (error) {
    throw undecodable(fn, file, error instanceof Error ? error.message : String(error), error);
  }
}

function undecodable(fn: string, file: string, got: string, cause: unknown): ShallowsError {
  return new ShallowsError(`${fn}: expected a picture in ${file}, got ${got} - replace or remove the file`, { cause });
}
