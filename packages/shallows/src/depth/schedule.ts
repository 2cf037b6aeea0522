/**
 * Drop rates over depth: rate of block l = 1 … L from the top rate p, in double precision, defined for every L ≥ 1.
 *
 * | schedule | rate of block l | L = 1 | used by |
 * |---|---|---|---|
 * | `linear` | p · l / L | p | Huang et al. 2016, Composer |
 * | `linspace` | p · (l − 1) / (L − 1) | 0 | timm, torchvision's ConvNeXt and Swin, DINOv2 |
 * | `ramp` | p · (l − 1) / L | 0 | torchvision's and TensorFlow's EfficientNet |
 * | `uniform` | p | p | Composer, DINOv2 |
 *
 * The fraction is formed first, so the last block of `linear` and `linspace` has exactly p.
 */
export const depthSchedules = Object.freeze({
  linear: (drop: number, count: number): number[] => each(count, (i) => drop * ((i + 1) / count)),
  linspace: (drop: number, count: number): number[] => each(count, (i) => (count === 1 ? 0 : drop * (i / (count - 1)))),
  ramp: (drop: number, count: number): number[] => each(count, (i) => drop * (i / count)),
  uniform: (drop: number, count: number): number[] => each(count, () => drop),
});

/** A schedule by name; `list` takes the rates as given. */
export type DepthSchedule = keyof typeof depthSchedules | 'list';

function each(count: number, rate: (i: number) => number): number[] {
  return Array.from({ length: count }, (_, i) => rate(i));
}
