import { steady } from '../format.js';
import { metricWords } from '../metric-words.js';
import type { CurvePoint } from './curve.js';
import { drawCurve } from './plot.js';
import { type LineStyle, painted } from './status-line.js';

/** The curves of a run so far. */
export interface Curves {
  /** Smoothed training loss. */
  readonly loss: readonly CurvePoint[];
  /** The primary metric on the validation set, and what it is called. */
  readonly validation: readonly CurvePoint[];
  readonly metric: string;
}

/** The room of a drawing under the status line. */
export interface PanelStyle extends LineStyle {
  /** Rows of the terminal. */
  readonly rows: number;
}

interface Panel {
  readonly title: string;
  readonly points: readonly CurvePoint[];
  readonly colour: number;
  readonly shown: (value: number) => string;
}

const ROWS = 5;
const GAP = 3;
const LEAST_COLUMNS = 24;

/**
 * Training loss and validation metric as small plots: side by side on a wide terminal, one above the other on a high one, else the
 * loss alone. Nothing on a terminal that is too small, and before there is a curve.
 */
export function panelLines({ loss, validation, metric }: Curves, style: PanelStyle): string[] {
  const words = metricWords(metric);
  const panels: Panel[] = [
    { title: 'training loss', points: loss, colour: 36, shown: (value) => steady(value) },
    { title: `validation ${words.noun}`, points: validation, colour: 32, shown: words.shown },
  ];
  const half = Math.floor((style.width - GAP) / 2);
  const height = ROWS + 1;
  // The terminal keeps room for what was said before: the drawing takes half of it at most.
  const most = Math.floor(style.rows / 2) - 2;
  if (most < height || style.width < LEAST_COLUMNS + 10) return [];
  if (half >= LEAST_COLUMNS + 12) {
    const [left, right] = panels.map((panel) => panelOf(panel, half, style)).filter((drawn) => drawn !== null);
    if (left === undefined) return [];
    return left
      .map((line, i) => (right === undefined ? line : `${line}${' '.repeat(GAP)}${right[i] ?? ''}`))
      .map(trimmed);
  }
  const drawn = panels.map((panel) => panelOf(panel, style.width, style)).filter((each) => each !== null);
  return drawn.slice(0, most >= 2 * height ? 2 : 1).flatMap((lines) => lines.map(trimmed));
}

/** The lines of one panel, all of one width; null where there is no curve. */
function panelOf({ title, points, colour, shown }: Panel, width: number, style: LineStyle): string[] | null {
  const ends = points.map(({ y }) => y).filter(Number.isFinite);
  if (ends.length < 2) return null;
  const labels = [shown(Math.max(...ends)), shown(Math.min(...ends))];
  const margin = Math.max(...labels.map((label) => label.length));
  const columns = width - margin - 2;
  const plot = drawCurve(points, { columns, rows: ROWS, unicode: style.unicode });
  if (plot === null) return null;
  const now = shown(points.at(-1)?.y ?? Number.NaN);
  const head = `${title} ${now}`.slice(0, columns);
  const edge = style.unicode ? ['┤', '│'] : ['|', '|'];
  return [
    `${' '.repeat(margin + 2)}${painted(head, 1, style)}${' '.repeat(columns - head.length)}`,
    ...plot.lines.map((line, i) => {
      const label = i === 0 ? labels[0] : i === ROWS - 1 ? labels[1] : undefined;
      const side = `${(label ?? '').padStart(margin)} ${edge[label === undefined ? 1 : 0] ?? ''}`;
      return `${painted(side, 90, style)}${painted(line, colour, style)}`;
    }),
  ];
}

function trimmed(line: string): string {
  return line.trimEnd();
}
