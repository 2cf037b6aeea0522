import { type Key, uniforms } from '../../random/index.js';
import type { Figure, Scene, Surface } from './scene.js';

/** Width in pixels of the soft shadow around a figure, which sets it off from what lies behind. */
const shadowWidth = 2;
const shadowDepth = 0.14;

/**
 * Paints a scene, far to near: each edge is smoothed over one pixel by the signed distance. The even noise of pixel
 * and channel i is draw i of `grainKey`.
 *
 * @returns bytes, `[3, size, size]`
 */
export function render(scene: Scene, size: number, grainKey: Key): Uint8ClampedArray {
  const canvas = new Canvas(size, scene.lattice);
  canvas.fill(scene.background);
  for (const each of scene.behind) canvas.paint(each);
  canvas.paint(scene.object);
  for (const each of scene.inFront) canvas.paint(each);
  return canvas.develop(scene, uniforms(grainKey, 3 * size * size));
}

/** Pixels `[size, size, 3]` whose centres run from −1 to 1. */
class Canvas {
  readonly #pixels: Float64Array;

  constructor(
    readonly size: number,
    readonly lattice: Float64Array,
  ) {
    this.#pixels = new Float64Array(3 * size * size);
  }

  #place(index: number): number {
    return (2 * index + 1) / this.size - 1;
  }

  fill(surface: Surface): void {
    for (let row = 0; row < this.size; row++) {
      for (let column = 0; column < this.size; column++) this.#blend(surface, row, column, 1);
    }
  }

  paint({ shape, x, y, radius, toLocal: [a, b, c, d], surface }: Figure): void {
    const perUnit = (radius * this.size) / 2;
    const reach = 1.45 * radius + (2 * (shadowWidth + 1)) / this.size;
    const first = (centre: number): number => Math.max(0, Math.floor(((centre - reach + 1) * this.size) / 2));
    const end = (centre: number): number => Math.min(this.size, Math.ceil(((centre + reach + 1) * this.size) / 2));
    for (let row = first(y); row < end(y); row++) {
      const v = (this.#place(row) - y) / radius;
      for (let column = first(x); column < end(x); column++) {
        const u = (this.#place(column) - x) / radius;
        const distance = perUnit * shape.distance(a * u + b * v, c * u + d * v);
        if (distance < 0.5) this.#blend(surface, row, column, Math.min(1, 0.5 - distance));
        else if (distance < 0.5 + shadowWidth) this.#shade(row, column, (distance - 0.5) / shadowWidth);
      }
    }
  }

  #shade(row: number, column: number, away: number): void {
    const at = 3 * (row * this.size + column);
    const pixels = this.#pixels;
    const left = 1 - shadowDepth * (1 - away);
    for (let i = at; i < at + 3; i++) pixels[i] = (pixels[i] as number) * left;
  }

  #blend(
    { colours: [from, to], pattern, cos, sin, shiftX, shiftY }: Surface,
    row: number,
    column: number,
    alpha: number,
  ): void {
    const x = this.#place(column);
    const y = this.#place(row);
    const share = pattern(cos * x + sin * y + shiftX, cos * y - sin * x + shiftY, this.lattice);
    const at = 3 * (row * this.size + column);
    const pixels = this.#pixels;
    for (let i = 0; i < 3; i++) {
      const value = (from[i] as number) + ((to[i] as number) - (from[i] as number)) * share;
      const under = pixels[at + i] as number;
      pixels[at + i] = under + (value - under) * alpha;
    }
  }

  develop({ light, grain }: Scene, noise: Float64Array): Uint8ClampedArray {
    const plane = this.size * this.size;
    const bytes = new Uint8ClampedArray(3 * plane);
    for (let at = 0; at < plane; at++) {
      const x = this.#place(at % this.size);
      const y = this.#place(Math.floor(at / this.size));
      const brightness = 1 + light.x * x + light.y * y;
      for (let i = 0; i < 3; i++) {
        const speck = ((noise[3 * at + i] as number) - 0.5) * 2 * grain;
        bytes[i * plane + at] = 255 * ((this.#pixels[3 * at + i] as number) * brightness + speck);
      }
    }
    return bytes;
  }
}
