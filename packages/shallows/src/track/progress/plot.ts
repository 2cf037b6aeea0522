import type { CurvePoint } from './curve.js';

/** The size of a drawing in characters. */
export interface PlotSize {
  readonly columns: number;
  readonly rows: number;
  /** Braille, of 2 × 4 dots a character; else ASCII, of 1 × 2. */
  readonly unicode: boolean;
}

/** A drawing and the values at its upper and lower edge. */
export interface Plot {
  readonly lines: readonly string[];
  readonly low: number;
  readonly high: number;
}

// Dots 1–8 of a Braille cell by row and column, as bits of U+2800 + bits.
const BRAILLE = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const ASCII = [[1], [2]] as const;
const ASCII_SHAPES = [' ', "'", '.', ':'];

/**
 * Draws a curve, each column of dots joined to the one before it. Points that are not finite leave a gap.
 *
 * @returns null where fewer than two points are finite, or there is no room
 */
export function drawCurve(points: readonly CurvePoint[], { columns, rows, unicode }: PlotSize): Plot | null {
  const known = points.filter(({ y }) => Number.isFinite(y));
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined || first === last || columns < 2 || rows < 1) return null;
  const cell: readonly (readonly number[])[] = unicode ? BRAILLE : ASCII;
  const [across, down] = [cell[0]?.length ?? 1, cell.length];
  const ys = known.map(({ y }) => y);
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  const bits = Array.from({ length: rows }, () => new Uint8Array(columns));
  const height = rows * down - 1;
  let above: number | null = null;
  for (let column = 0; column < columns * across; column++) {
    const x = first.x + ((last.x - first.x) * column) / (columns * across - 1);
    const y = valueAt(points, x);
    if (y === null) {
      above = null;
      continue;
    }
    // A curve that does not move lies in the middle.
    const dot = high === low ? Math.round(height / 2) : Math.round((height * (high - y)) / (high - low));
    const from = above === null || dot < above ? dot : Math.min(above + 1, dot);
    const to = above === null || dot > above ? dot : Math.max(above - 1, dot);
    for (let row = from; row <= to; row++) {
      const line = bits[Math.floor(row / down)];
      const at = Math.floor(column / across);
      if (line !== undefined) line[at] = (line[at] ?? 0) | (cell[row % down]?.[column % across] ?? 0);
    }
    above = dot;
  }
  const lines = bits.map((line) =>
    Array.from(line, (bit) => (unicode ? shape(bit) : (ASCII_SHAPES[bit] ?? ' '))).join(''),
  );
  return { lines, low, high };
}

function shape(bits: number): string {
  return bits === 0 ? ' ' : String.fromCharCode(0x2800 + bits);
}

/** The curve at x, on the straight line between its neighbours; null in a gap. */
function valueAt(points: readonly CurvePoint[], x: number): number | null {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.x ?? 0) <= x) low = middle;
    else high = middle;
  }
  const [a, b] = [points[low], points[high]];
  if (a === undefined || b === undefined) return null;
  const share = b.x === a.x ? 0 : Math.min(1, Math.max(0, (x - a.x) / (b.x - a.x)));
  const y = share === 0 ? a.y : share === 1 ? b.y : a.y + share * (b.y - a.y);
  return Number.isFinite(y) ? y : null;
}
