import { ShallowsError } from '../../errors.js';
import type { NumpyArray } from './npy.js';

/** Rows as they become tensors. */
export interface ArrayRows {
  readonly name: string;
  readonly count: number;
  readonly inputs: Float32Array | BigInt64Array;
  readonly targets: Float32Array | Int32Array;
}

/** The inputs of an array, a row a sample. @throws ShallowsError for what is no number, or not finite */
export function inputsOf(
  { dtype, shape, values }: NumpyArray,
  name: string,
  wanted: 'float32' | 'int64',
): ArrayRows['inputs'] {
  if (shape.length < 2 || shape.some((size) => size === 0) || dtype.startsWith('complex'))
    refuse(`real inputs [N, …] in ${name}`, `${dtype} [${shape.join(', ')}]`, 'give a row a sample');
  if (wanted === 'int64') {
    if (dtype.startsWith('float')) refuse(`whole numbers in ${name} as int64 inputs`, dtype, 'leave out inputDtype');
    const whole = new BigInt64Array(values.length);
    for (let i = 0; i < values.length; i++) whole[i] = BigInt(values[i] ?? 0);
    return whole;
  }
  const width = values.length / (shape[0] ?? 1);
  return toFloat32(values, name, width);
}

/** Classes, or numbers. @throws ShallowsError for a class below 0, or a number that is not finite */
export function targetsOf(
  { values, shape }: NumpyArray,
  name: string,
  task: 'classification' | 'regression',
): ArrayRows['targets'] {
  if (task === 'regression') return toFloat32(values, name, shape[1] ?? 1);
  return Int32Array.from({ length: values.length }, (_, row) => {
    const label = Number(values[row]);
    if (label >= 0 && label < 2 ** 31) return label;
    return refuse(`classes from 0 in ${name}`, `${label} in row ${row}`, 'number them from 0');
  });
}

function toFloat32(values: NumpyArray['values'], name: string, width: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (!Number.isFinite(value))
      refuse(
        `finite numbers in ${name}`,
        `${value} in row ${Math.floor(i / width)}`,
        'leave the row out or fill it in',
      );
    result[i] = value;
  }
  return result;
}

/** The bytes of each row, inputs and targets. */
export function* rowBytes({ count, inputs, targets }: ArrayRows): Generator<Uint8Array> {
  const row = (array: ArrayRows['inputs'] | ArrayRows['targets'], i: number): Uint8Array => {
    const bytes = array.byteLength / count;
    return new Uint8Array(array.buffer, array.byteOffset + i * bytes, bytes);
  };
  for (let i = 0; i < count; i++) yield Buffer.concat([row(inputs, i), row(targets, i)]);
}

/** Some of the rows, in the order given. */
export function pickRows(rows: ArrayRows, chosen: Uint32Array): ArrayRows {
  const pick = <T extends ArrayRows['inputs'] | ArrayRows['targets']>(from: T, to: T): T => {
    const width = from.length / rows.count;
    // `set` of a part of an array of its own kind: the union of kinds cannot say so.
    for (const [i, row] of chosen.entries())
      (to as Float32Array).set((from as Float32Array).subarray(row * width, (row + 1) * width), i * width);
    return to;
  };
  const { inputs, targets, count } = rows;
  const length = (array: { readonly length: number }): number => (array.length / count) * chosen.length;
  return {
    ...rows,
    count: chosen.length,
    inputs: pick(
      inputs,
      inputs instanceof Float32Array ? new Float32Array(length(inputs)) : new BigInt64Array(length(inputs)),
    ),
    targets: pick(
      targets,
      targets instanceof Float32Array ? new Float32Array(length(targets)) : new Int32Array(length(targets)),
    ),
  };
}

/** The first rows; they share memory with all. */
export function firstRows(rows: ArrayRows, limit = rows.count): ArrayRows {
  const count = Math.min(limit, rows.count);
  const { inputs, targets } = rows;
  return {
    ...rows,
    count,
    inputs: inputs.subarray(0, (inputs.length / rows.count) * count),
    targets: targets.subarray(0, (targets.length / rows.count) * count),
  };
}

/** @internal The error of a configuration of arrays. */
export function refuse(expected: string, got: string, advice: string): never {
  throw new ShallowsError(`loadData: expected ${expected}, got ${got} - ${advice}`);
}
