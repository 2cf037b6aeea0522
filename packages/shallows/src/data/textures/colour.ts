/** Red, green and blue of sRGB, each in [0, 1]. */
export type Colour = readonly [number, number, number];

/**
 * A colour by lightness in [0, 1], chroma (0 to about 0.3) and hue (in turns), clipped to what sRGB can show.
 *
 * @see Ottosson, "A perceptual color space for image processing", 2020 (OKLab in polar form)
 */
export function oklch(lightness: number, chroma: number, hue: number): Colour {
  const a = chroma * Math.cos(2 * Math.PI * hue);
  const b = chroma * Math.sin(2 * Math.PI * hue);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encode(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function encode(linear: number): number {
  if (linear <= 0.0031308) return Math.max(0, 12.92 * linear);
  return Math.min(1, 1.055 * linear ** (1 / 2.4) - 0.055);
}
