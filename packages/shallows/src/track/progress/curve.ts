/** A point of a curve. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
}

const MOST = 1024;

/** Numbers over a run whose length is not known: a bounded number of points, each the mean of as many numbers. */
export class Curve {
  #points: CurvePoint[] = [];
  #each = 1;
  #held: CurvePoint[] = [];

  /** From left to right. The last may be of fewer numbers than the others. */
  get points(): readonly CurvePoint[] {
    const last = this.#held.length === 0 ? [] : [meanOf(this.#held)];
    return [...this.#points, ...last];
  }

  /** Adds a number; one that is not finite leaves a gap. */
  add(x: number, y: number): void {
    this.#held.push({ x, y });
    if (this.#held.length < this.#each) return;
    this.#points.push(meanOf(this.#held));
    this.#held = [];
    if (this.#points.length < MOST) return;
    this.#each *= 2;
    const points = this.#points;
    this.#points = Array.from({ length: MOST / 2 }, (_, i) => meanOf(points.slice(2 * i, 2 * i + 2)));
  }

  clear(): void {
    this.#points = [];
    this.#held = [];
    this.#each = 1;
  }
}

function meanOf(points: readonly CurvePoint[]): CurvePoint {
  const mean = (of: (point: CurvePoint) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  return { x: mean(({ x }) => x), y: mean(({ y }) => y) };
}
