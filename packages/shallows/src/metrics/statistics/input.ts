import { isTensor, noGrad, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';

/** One number a row: plain numbers, whole numbers as bigints, or a tensor of any dtype `[N]`. */
export type RowValues = ArrayLike<number | bigint> | Tensor;

/** Several numbers a row: a tensor `[N, C]`, a list of rows, or all numbers row by row. */
export type RowTable = Tensor | readonly ArrayLike<number>[] | Table;

/** All numbers of N rows, row by row. */
export interface Table {
  /** `[rows · columns]` */
  readonly values: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * @internal One finite number a row as float64; a `Float64Array` is taken as it is, without a copy.
 *
 * @throws ShallowsError for another shape, or numbers that are not finite
 */
export function toNumbers(fn: string, what: string, values: RowValues): Float64Array {
  if (isTensor(values) && values.ndim !== 1) {
    throw new ShallowsError(`${fn}: expected ${what} [N], got [${values.shape.join(', ')}] - give one number a row`);
  }
  const numbers = isTensor(values)
    ? read(values)
    : values instanceof Float64Array
      ? values
      : Float64Array.from(values, Number);
  const bad = numbers.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new ShallowsError(
      `${fn}: expected ${what} that are finite, got ${numbers[bad]} at ${bad} - look for its cause`,
    );
  }
  return numbers;
}

/**
 * @internal Classes as whole numbers from 0.
 *
 * @param classes how many there are, where that is known
 * @throws ShallowsError for other numbers
 */
export function toClasses(fn: string, what: string, values: RowValues, classes = 2 ** 31 - 1): Int32Array {
  const numbers = toNumbers(fn, what, values);
  const bad = numbers.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value < classes));
  if (bad >= 0) {
    throw new ShallowsError(
      `${fn}: expected ${what} that are classes from 0 to ${classes - 1}, got ${numbers[bad]} at ${bad} - number the classes from 0`,
    );
  }
  return Int32Array.from(numbers);
}

/**
 * @internal Zeros and ones, also from booleans.
 *
 * @throws ShallowsError for other numbers
 */
export function toFlags(fn: string, what: string, values: RowValues | readonly boolean[]): Uint8Array {
  const given = isTensor(values) ? toNumbers(fn, what, values) : values;
  const flags = new Uint8Array(given.length);
  for (let i = 0; i < flags.length; i++) {
    const flag = Number(given[i]);
    if (flag !== 0 && flag !== 1) {
      throw new ShallowsError(`${fn}: expected ${what} of 0 and 1, got ${flag} at ${i} - compare with a class first`);
    }
    flags[i] = flag;
  }
  return flags;
}

/**
 * @internal A table of finite numbers in float64.
 *
 * @throws ShallowsError for another shape, or numbers that are not finite
 */
export function toTable(fn: string, what: string, given: RowTable): Table {
  const table = isTensor(given)
    ? tableOfTensor(fn, what, given)
    : 'columns' in given
      ? given
      : tableOfRows(fn, what, given);
  if (table.values.length !== table.rows * table.columns || table.columns < 1) {
    throw new ShallowsError(
      `${fn}: expected ${what} of rows x columns numbers, got ${table.values.length} for ${table.rows} x ${table.columns} - correct the sizes`,
    );
  }
  const bad = table.values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new ShallowsError(
      `${fn}: expected ${what} that are finite, got ${table.values[bad]} in row ${Math.floor(bad / table.columns)} - look for its cause`,
    );
  }
  return table;
}

/** @internal As `toTable`; one number a row is a table of one column. */
export function toColumns(fn: string, what: string, given: RowValues | RowTable): Table {
  if (!isColumn(given)) return toTable(fn, what, given);
  const values = toNumbers(fn, what, given);
  return { values, rows: values.length, columns: 1 };
}

function isColumn(given: RowValues | RowTable): given is RowValues {
  return isTensor(given) ? given.ndim === 1 : !('columns' in given) && typeof given[0] !== 'object';
}

function tableOfTensor(fn: string, what: string, given: Tensor): Table {
  const [rows = 0, columns = 0] = given.shape;
  if (given.ndim !== 2) {
    throw new ShallowsError(`${fn}: expected ${what} [N, C], got [${given.shape.join(', ')}] - flatten other shapes`);
  }
  return { values: read(given), rows, columns };
}

function tableOfRows(fn: string, what: string, given: readonly ArrayLike<number>[]): Table {
  const columns = given[0]?.length ?? 1;
  const values = new Float64Array(given.length * columns);
  for (const [i, row] of given.entries()) {
    if (row.length !== columns) {
      throw new ShallowsError(
        `${fn}: expected ${what} with rows of one length, got ${columns} and ${row.length} (row ${i}) - fill the rows`,
      );
    }
    values.set(row, i * columns);
  }
  return { values, rows: given.length, columns };
}

function read(tensor: Tensor): Float64Array {
  return noGrad(() =>
    scope(() => {
      // Apple's GPUs have no float64.
      const near = tensor.device.startsWith('mps') ? tensor.to('cpu') : tensor;
      return Float64Array.from(near.to('float64').toArray(), Number);
    }),
  );
}

/** @internal @throws ShallowsError where two inputs do not have as many rows */
export function sameRows(fn: string, first: number, second: number): void {
  if (first !== second) {
    throw new ShallowsError(`${fn}: expected one of each a row, got ${first} and ${second} - pair them`);
  }
}
