/**
 * Drop rates over depth: rate of block l = 1 … L from the top rate p, in double precision, defined for every L ≥ 1. With
 * v = l − 1 and P = L − 1:
 *
 * | schedule | rate of block l | L = 1 | used by |
 * |---|---|---|---|
 * | `linear` | p · l / L | p | Huang et al. 2016, Composer |
 * | `linspace` | p · v / P | 0 | timm, torchvision's ConvNeXt and Swin, DINOv2 |
 * | `ramp` | p · v / L | 0 | torchvision's and TensorFlow's EfficientNet |
 * | `uniform` | p | p | Composer, DINOv2 |
 * | `exp` | p · (2^(v/P) − 1) | p | torchtune |
 * | `log` | p · ln(v + 1) / ln(P + 1) | p | torchtune |
 * | `sine` | p · sin(π v / 2P) | p | torchtune |
 * | `sigmoid` | p / (1 + e^(5 − 10 v/P)), the last p | p | torchtune: from 0.0067 p, not 0 |
 *
 * The fraction is formed first, so the last block of `linear`, `linspace`, `exp`, `log`, `sine` and `sigmoid` has exactly p.
 */
export const depthSchedules = Object.freeze({
  linear: (drop: number, count: number): number[] => each(count, (v) => drop * ((v + 1) / count)),
  linspace: (drop: number, count: number): number[] => each(count, (v) => (count === 1 ? 0 : drop * (v / (count - 1)))),
  ramp: (drop: number, count: number): number[] => each(count, (v) => drop * (v / count)),
  uniform: (drop: number, count: number): number[] => each(count, () => drop),
  exp: (drop: number, count: number): number[] => along(drop, count, (v, last) => 2 ** (v / last) - 1),
  log: (drop: number, count: number): number[] =>
    along(drop, count, (v, last) => (v === last ? 1 : Math.log(v + 1) / Math.log(last + 1))),
  sine: (drop: number, count: number): number[] =>
    along(drop, count, (v, last) => Math.sin((Math.PI * v) / (2 * last))),
  sigmoid: (drop: number, count: number): number[] =>
    along(drop, count, (v, last) => (v === last ? 1 : 1 / (1 + Math.exp(5 - 10 * (v / last))))),
});

/** A schedule by name; `list` takes the rates as given. */
export type DepthSchedule = keyof typeof depthSchedules | 'list';

function each(count: number, rate: (v: number) => number): number[] {
  return Array.from({ length: count }, (_, v) => rate(v));
}

/** A single block gets p, as torchtune has it. */
function along(drop: number, count: number, share: (v: number, last: number) => number): number[] {
  return each(count, (v) => drop * (count === 1 ? 1 : share(v, count - 1)));
}
