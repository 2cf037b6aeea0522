import { type AxisYOptions, axisX, axisY, gridY, type Markish } from '@observablehq/plot';
import { significant } from '../format.js';

/** Axes and horizontal grid in the page's colours. */
export function axes({
  x,
  y,
  counts = false,
  yOptions = {},
}: {
  readonly x: string;
  readonly y: string | null;
  /** x counts things: there is nothing between its whole numbers. */
  readonly counts?: boolean;
  readonly yOptions?: AxisYOptions;
}): Markish[] {
  return [
    gridY({ stroke: 'var(--line)', strokeOpacity: 1, ...ticksOf(yOptions) }),
    axisX({
      label: x,
      labelAnchor: 'center',
      labelArrow: 'none',
      labelOffset: 36,
      tickSize: 0,
      tickPadding: 8,
      tickFormat: (value: number) => (counts && !Number.isInteger(value) ? '' : significant(value)),
      color: 'var(--muted)',
    }),
    axisY({
      label: y,
      labelArrow: 'none',
      labelOffset: 24,
      tickSize: 0,
      tickPadding: 8,
      tickFormat: (value: number) => significant(value),
      color: 'var(--muted)',
      ...yOptions,
    }),
  ];
}

function ticksOf({ ticks }: AxisYOptions): { ticks?: NonNullable<AxisYOptions['ticks']> } {
  return ticks === undefined ? {} : { ticks };
}
