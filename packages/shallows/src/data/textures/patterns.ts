/** A surface pattern: how much of the second of two colours, in [0, 1], is at a point; about one period a unit. */
export type Pattern = (x: number, y: number, lattice: Float64Array) => number;

/** Side of the square of random numbers that the cloud pattern interpolates; it repeats after that many units. */
export const latticeSide = 8;

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

// A sine sharpened towards a square wave, with edges soft enough for few pixels a period.
function wave(t: number): number {
  const s = 1.6 * Math.sin(2 * Math.PI * t);
  return 0.5 + 0.5 * Math.max(-1, Math.min(1, s));
}

function cloud(x: number, y: number, lattice: Float64Array): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const at = (i: number, j: number): number =>
    lattice[(j & (latticeSide - 1)) * latticeSide + (i & (latticeSide - 1))] ?? 0;
  const a = smooth(x - left);
  const b = smooth(y - top);
  const upper = at(left, top) * (1 - a) + at(left + 1, top) * a;
  const lower = at(left, top + 1) * (1 - a) + at(left + 1, top + 1) * a;
  return upper * (1 - b) + lower * b;
}

function dot(x: number, y: number): number {
  const u = x - Math.floor(x) - 0.5;
  const v = y - Math.floor(y) - 0.5;
  return Math.max(0, Math.min(1, (0.36 - Math.sqrt(u * u + v * v)) * 6));
}

/** The patterns that objects and backgrounds are covered with. None of them tells the class. */
export const patterns: readonly Pattern[] = [
  (x) => wave(x),
  (x, y) => Math.abs(wave(x) - wave(y)),
  dot,
  (x, y) => wave(x + 0.3 * Math.sin(2 * Math.PI * y * 0.6)),
  cloud,
  (x, y, lattice) => wave(0.7 * x + 1.6 * cloud(0.6 * x, 0.6 * y, lattice)),
];
