import { deriveKey, type Key, uniforms } from '../../random/index.js';
import { type Colour, oklch } from './colour.js';
import { latticeSide, type Pattern, patterns } from './patterns.js';
import { type Shape, shapes } from './shapes.js';

/** Two colours mixed by a pattern that is turned, scaled and shifted. */
export interface Surface {
  readonly colours: readonly [Colour, Colour];
  readonly pattern: Pattern;
  readonly cos: number;
  readonly sin: number;
  readonly shiftX: number;
  readonly shiftY: number;
}

/** A shape in the picture, whose coordinates run from −1 to 1 on both axes. */
export interface Figure {
  readonly shape: Shape;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Rotation and stretch: the picture's axes in units of the shape. */
  readonly toLocal: readonly [number, number, number, number];
  readonly surface: Surface;
}

/** What a picture shows, far to near. */
export interface Scene {
  readonly background: Surface;
  /** Small figures behind the object, of any shape: they do not tell the class. */
  readonly behind: readonly Figure[];
  readonly object: Figure;
  /** Small figures that cover a part of the object. */
  readonly inFront: readonly Figure[];
  readonly light: { readonly x: number; readonly y: number };
  /** Half width of the even noise on each pixel and channel. */
  readonly grain: number;
  readonly lattice: Float64Array;
}

type Draw = (low: number, high: number) => number;

/** The largest scene takes 199: 64 lattice values, background, object, light, and 17 for each of six small figures. */
const drawsPerScene = 199;

/** Draws picture `index` of a class: everything about it but the noise of its pixels. */
export function drawScene(key: Key, index: number, label: number): Scene {
  const numbers = uniforms(deriveKey(key, index), drawsPerScene);
  let used = 0;
  const draw: Draw = (low, high) => low + (high - low) * (numbers[used++] ?? 0.5);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(draw(0, from.length))] as T;

  const surface = (lightness: number, hue: number, contrast: number): Surface => {
    const tilt = draw(0, 2 * Math.PI);
    const frequency = draw(1.2, 3.2);
    const step = (draw(0, 1) < 0.5 ? -1 : 1) * contrast;
    const chroma = draw(0.03, 0.17);
    return {
      colours: [oklch(lightness, chroma, hue), oklch(lightness + step, chroma, hue + draw(-0.16, 0.16))],
      pattern: pick(patterns),
      cos: Math.cos(tilt) * frequency,
      sin: Math.sin(tilt) * frequency,
      shiftX: draw(0, latticeSide),
      shiftY: draw(0, latticeSide),
    };
  };
  const figure = (shape: Shape, turn: number, x: number, y: number, radius: number, on: Surface): Figure => {
    const stretch = draw(0.88, 1.14);
    const cos = Math.cos(turn);
    const sin = Math.sin(turn);
    return { shape, x, y, radius, toLocal: [cos / stretch, sin / stretch, -sin * stretch, cos * stretch], surface: on };
  };

  const darkGround = draw(0, 1) < 0.5;
  const groundLightness = darkGround ? draw(0.18, 0.42) : draw(0.62, 0.9);
  const groundHue = draw(0, 1);
  const lightnessStep = draw(0.26, 0.46);
  const objectLightness = groundLightness + (darkGround ? lightnessStep : -lightnessStep);
  const background = surface(groundLightness, groundHue, draw(0.03, 0.14));

  const small = (count: number, reach: number, radiusLow: number, radiusHigh: number): Figure[] =>
    Array.from({ length: count }, () => {
      const angle = draw(0, 2 * Math.PI);
      const far = draw(0.35, 1) * reach;
      const cover = surface(draw(0.25, 0.85), draw(0, 1), draw(0.03, 0.12));
      return figure(
        pick(shapes),
        draw(0, 2 * Math.PI),
        far * Math.cos(angle),
        far * Math.sin(angle),
        draw(radiusLow, radiusHigh),
        cover,
      );
    });
  const behind = small(Math.floor(draw(1, 5)), 1.15, 0.12, 0.28);
  const cover = surface(objectLightness, groundHue + draw(0.12, 0.88), draw(0.03, 0.16));
  const shape = shapes[label] as Shape;
  const object = figure(shape, draw(-0.5, 0.5), draw(-0.22, 0.22), draw(-0.22, 0.22), draw(0.54, 0.8), cover);
  const inFront = small(Math.floor(draw(0, 2.5)), 0.7, 0.1, 0.18);
  const towards = draw(0, 2 * Math.PI);
  const strength = draw(0, 0.22);
  return {
    background,
    behind,
    object,
    inFront,
    light: { x: strength * Math.cos(towards), y: strength * Math.sin(towards) },
    grain: draw(0.02, 0.07),
    lattice: Float64Array.from({ length: latticeSide * latticeSide }, () => draw(0, 1)),
  };
}
