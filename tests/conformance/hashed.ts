/** The same hashed integers as in `cifar_resnet.py`. */
export function hashed(count: number, salt: number): Uint32Array {
  const out = new Uint32Array(count);
  const offset = Math.imul(salt, 40503);
  for (let i = 0; i < count; i++) {
    let h = (Math.imul(i + 1, 2654435761) + offset) >>> 0;
    h = Math.imul(h ^ (h >>> 15), 2246822519);
    h ^= h >>> 13;
    h = Math.imul(h, 3266489917);
    out[i] = (h ^ (h >>> 16)) >>> 0;
  }
  return out;
}

/** Numbers in ±scale/2, hashed from their index. */
export function values(count: number, salt: number, scale: number): Float64Array {
  return Float64Array.from(hashed(count, salt), (h) => (h / 4294967296 - 0.5) * scale);
}

/** Four dot products with vectors of signs: enough to tell tensors apart, small enough to keep. */
export function sketch(elements: ArrayLike<number | bigint>): number[] {
  let squares = 0;
  for (let i = 0; i < elements.length; i++) squares += Number(elements[i]) ** 2;
  const dots = [0, 1, 2, 3].map((k) => {
    const signs = hashed(elements.length, 9000 + k);
    let sum = 0;
    for (let i = 0; i < elements.length; i++) sum += Number(elements[i]) * (1 - 2 * ((signs[i] as number) & 1));
    return sum;
  });
  return [Math.sqrt(squares), ...dots];
}
