import { isFloatingPoint } from '../dtype.js';
import { Operator } from '../operator.js';
import type { Tensor } from '../tensor.js';
import { booleanFormatter, type Formatter, floatFormatter, integerFormatter } from './formatter.js';

const lineWidth = 80;
const threshold = 1000;
const edge = 3;

const select = new Operator('aten::slice', 'Tensor');
const join = new Operator('aten::cat');

/** The elements between the outer brackets, as `repr` of PyTorch writes them; `indent` columns stand before them. */
export function elementsText(tensor: Tensor, indent: number): string {
  const { shape, dtype } = tensor;
  const total = shape.reduce((product, size) => product * size, 1);
  if (total === 0) return '[]';
  const summarise = total > threshold;
  const shown = summarise ? edges(tensor) : tensor;
  const complex = dtype.startsWith('complex');
  const values = shown.toArray();
  const layout: Layout = {
    full: shape,
    kept: shown.shape,
    summarise,
    ...(complex ? complexCells(values) : realCells(values, formatterFor(dtype, values))),
  };
  return block(layout, 0, 0, indent);
}

interface Layout {
  readonly full: readonly number[];
  readonly kept: readonly number[];
  readonly summarise: boolean;
  /** Columns that an element, a comma and a space take. */
  readonly cellWidth: number;
  cell(index: number): string;
}

// What lies between the first and last three of each dimension is never read.
function edges(tensor: Tensor): Tensor {
  return tensor.shape.reduce((shown, size, dim) => {
    if (size <= 2 * edge) return shown;
    const ends = [select.call([shown, dim, 0, edge]), select.call([shown, dim, size - edge])];
    return join.call([ends, dim]) as Tensor;
  }, tensor);
}

function formatterFor(dtype: string, values: ArrayLike<number | bigint>): Formatter {
  if (dtype === 'bool') return booleanFormatter(values);
  return isFloatingPoint(dtype as 'float32') ? floatFormatter(values) : integerFormatter(values);
}

type Cells = Pick<Layout, 'cellWidth' | 'cell'>;

function realCells(values: ArrayLike<number | bigint>, formatter: Formatter): Cells {
  return { cellWidth: formatter.width + 2, cell: (index) => formatter.format(values[index] ?? 0) };
}

function complexCells(pairs: ArrayLike<number | bigint>): Cells {
  const parts = Array.from(pairs, Number);
  const real = floatFormatter(parts.filter((_, i) => i % 2 === 0));
  const imaginary = floatFormatter(parts.filter((_, i) => i % 2 === 1));
  return {
    cellWidth: real.width + imaginary.width + 3,
    cell: (index) => {
      const tail = `${imaginary.format(parts[2 * index + 1] ?? 0)}j`.trimStart();
      return real.format(parts[2 * index] ?? 0) + (tail.startsWith('-') ? tail : `+${tail}`);
    },
  };
}

function block(layout: Layout, dim: number, offset: number, indent: number): string {
  const { full, kept, summarise } = layout;
  if (dim === full.length) return layout.cell(offset);
  const size = kept[dim] ?? 0;
  const step = kept.slice(dim + 1).reduce((product, each) => product * each, 1);
  const last = dim === full.length - 1;
  const parts = Array.from({ length: size }, (_, i) => block(layout, dim + 1, offset + i * step, indent + 1));
  if (summarise && (full[dim] ?? 0) > 2 * edge) parts.splice(edge, 0, last ? ' ...' : '...');
  if (!last) {
    const gap = `,${'\n'.repeat(full.length - dim - 1)}${' '.repeat(indent + 1)}`;
    return `[${parts.join(gap)}]`;
  }
  const perLine = Math.max(1, Math.floor((lineWidth - indent) / layout.cellWidth));
  const lines: string[] = [];
  for (let i = 0; i < parts.length; i += perLine) lines.push(parts.slice(i, i + perLine).join(', '));
  return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`;
}
