import { createHash } from 'node:crypto';

/** The SHA-256 of pieces that follow each other: 64 hexadecimal digits. */
export function sha256Of(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
