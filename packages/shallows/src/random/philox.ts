const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

// The high word of a 32 x 32 bit product in 16-bit halves: every partial sum fits 32 bits, so no BigInt and no double is made.
function mulhi(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const inner = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) >>> 0;
  const outer = (Math.imul(aLow, bHigh) + (inner & 0xffff)) >>> 0;
  return (Math.imul(aHigh, bHigh) + (inner >>> 16) + (outer >>> 16)) >>> 0;
}

/**
 * Philox4x32-10: writes into `out` the four 32-bit words that a 128-bit counter has under a 64-bit key.
 *
 * A bijection of the counter for each key, so a draw is a function of its position alone and needs no state.
 *
 * @param out receives the words, `[4]`
 * @param c0 counter, lowest 32 bits first; so are `c1`, `c2`, `c3`
 * @param k0 key, low 32 bits
 * @param k1 key, high 32 bits
 * @see Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Random123)
 */
export function philox4x32(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  let x0 = c0 | 0;
  let x1 = c1 | 0;
  let x2 = c2 | 0;
  let x3 = c3 | 0;
  let key0 = k0 | 0;
  let key1 = k1 | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulhi(M0, x0);
    const low0 = Math.imul(M0, x0);
    const high1 = mulhi(M1, x2);
    const low1 = Math.imul(M1, x2);
    x0 = high1 ^ x1 ^ key0;
    x1 = low1;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 = (key0 + W0) | 0;
    key1 = (key1 + W1) | 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}
