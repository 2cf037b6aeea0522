import { ShallowsError } from '../../errors.js';

/** Extensions of the files that {@link decoder} is given; others in a folder are no pictures. */
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

/** Decodes one picture file to bytes `[3, size, size]`. */
export type Decode = (bytes: Uint8Array, file: string) => Promise<Uint8Array>;

/**
 * A decoder of encoded pictures on sharp, which is loaded at the first call.
 *
 * Colour is brought to sRGB, the orientation of the camera applied, transparency put over white; then the picture is
 * resized so that it covers the square and cropped at its centre.
 */
export async function decoder(fn: string, size: number): Promise<Decode> {
  const { default: sharp } = await import('sharp');
  return async (bytes, file) => {
    let flat: Uint8Array;
    try {
      flat = await sharp(bytes)
        .autoOrient()
        .resize(size, size, { fit: 'cover' })
        .flatten({ background: '#ffffff' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer();
    } catch (error) {
      throw undecodable(fn, file, error instanceof Error ? error.message : String(error), error);
    }
    if (flat.length !== 3 * size * size)
      throw undecodable(fn, file, `${flat.length / (size * size)} channels`, undefined);
    return toPlanes(flat, size * size);
  };
}

function undecodable(fn: string, file: string, got: string, cause: unknown): ShallowsError {
  return new ShallowsError(`${fn}: expected a picture in ${file}, got ${got} - replace or remove the file`, { cause });
}

function toPlanes(interleaved: Uint8Array, plane: number): Uint8Array {
  const planes = new Uint8Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    planes[i] = interleaved[3 * i] as number;
    planes[plane + i] = interleaved[3 * i + 1] as number;
    planes[2 * plane + i] = interleaved[3 * i + 2] as number;
  }
  return planes;
}
