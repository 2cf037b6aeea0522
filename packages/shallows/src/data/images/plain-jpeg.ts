/** Pixels that a picture may have, as sharp has it: what says it has more is most likely damaged. */
const mostPixels = 0x3fff * 0x3fff;

/** Frames of 8 bits and Huffman codes: baseline, extended, progressive. */
const frames: readonly number[] = [0xc0, 0xc1, 0xc2];
/** Quantisation, Huffman codes, restart interval, comment: segments that say nothing about how pixels are meant. */
const others: readonly number[] = [0xc4, 0xdb, 0xdd, 0xfe];
const startOfScan = 0xda;
/**
 * Whether a file is a JPEG that means what its pixels say: grey or in colour, 8 bits, upright, without a colour profile. Not so
 * for every other file, also for a damaged one.
 *
 * Reads the segments before the first scan and nothing behind them.
 *
 * @see ITU-T T.81, annex B
 */
export function isPlainJpeg(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false;
  let framed = false;
  for (let at = 2; ; ) {
    if (bytes[at] !== 0xff) return false;
    while (bytes[at] === 0xff) at++;
    const marker = bytes[at];
    const length = uint16(bytes, at + 1);
    if (marker === undefined || !(length >= 2 && at + 1 + length <= bytes.length)) return false;
    if (marker === startOfScan) return framed;
    const segment = bytes.subarray(at + 3, at + 1 + length);
    if (frames.includes(marker)) {
      if (framed || !isPlainFrame(segment)) return false;
      framed = true;
    } else if (!others.includes(marker) && !isPlainApplication(marker, segment)) return false;
    at += 1 + length;
  }
}

function isPlainFrame(segment: Uint8Array): boolean {
  const [height, width] = [uint16(segment, 1), uint16(segment, 3)];
  const components = segment[5] ?? 0;
  if (segment[0] !== 8 || segment.length !== 6 + 3 * components) return false;
  return (components === 1 || components === 3) && height > 0 && width > 0 && height * width <= mostPixels;
}

function isPlainApplication(marker: number, segment: Uint8Array): boolean {
  if (marker < 0xe0 || marker > 0xef) return false;
  if (marker === 0xe1 && begins(segment, 'Exif')) return isUpright(segment.subarray(6));
  if (marker === 0xe2 && begins(segment, 'ICC_PROFILE')) return false;
  return true;
}

/** Whether the orientation of EXIF data is the usual one or not told. @see EXIF 2.32, 4.6.2 and 4.6.4; tag 0x0112 */
function isUpright(exif: Uint8Array): boolean {
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  if (view.byteLength < 8) return false;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return false;
  const little = order === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > view.byteLength) return false;
  const first = directory + 2;
  const entries = view.getUint16(directory, little);
  if (first + 12 * entries > view.byteLength) return false;
  for (let at = first; at < first + 12 * entries; at += 12) {
    if (view.getUint16(at, little) !== 0x0112) continue;
    const short = 3;
    const isOne = view.getUint16(at + 2, little) === short && view.getUint32(at + 4, little) === 1;
    if (!isOne || view.getUint16(at + 8, little) !== 1) return false;
  }
  return true;
}

function begins(segment: Uint8Array, text: string): boolean {
  return segment.length >= text.length && [...text].every((letter, i) => segment[i] === letter.charCodeAt(0));
}

/** NaN past the end. */
function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? Number.NaN) * 256 + (bytes[at + 1] ?? Number.NaN);
}
