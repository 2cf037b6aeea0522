import { ShallowsError, shown } from '../../errors.js';
import type { Block } from '../stream/block.js';
import type { Moments } from './moments.js';
import type { RawRows } from './raw-rows.js';
import type { ColumnRoles } from './roles.js';
import type { Survey } from './survey.js';
import { textAt } from './text-column.js';

/** How a number becomes a feature or a target: (x − mean) / std. */
export interface Scaling {
  readonly name: string;
  readonly mean: number;
  readonly std: number;
  /** What stands where a value is missing, before scaling: the mean of the training rows. */
  readonly fill: number;
}

/** How rows of a table become numbers: plain data, fitted on the training rows alone. */
export interface TableEncoding {
  readonly roles: ColumnRoles;
  /** One-hot: a column of 0 and 1 a category; index: its number from 1, and 0 for one that training does not know. */
  readonly encoding: 'onehot' | 'index';
  readonly numeric: readonly Scaling[];
  /** Values of each categorical feature, ascending. */
  readonly categories: readonly (readonly string[])[];
  /** Names of the encoded features, in order: `age`, `city=Rome`. */
  readonly features: readonly string[];
  readonly classes: readonly string[] | null;
  /** Null for classification. */
  readonly targets: readonly Scaling[] | null;
}

/** Options of {@link fitEncoding}. */
export interface EncodingOptions {
  readonly fn: string;
  readonly file: string;
  readonly encoding: 'onehot' | 'index';
  readonly standardise: boolean;
  readonly standardiseTarget: boolean;
  /** Names of the classes in the order of their numbers; those that occur unless given. */
  readonly classes: readonly string[] | null;
}

/** Fits the encoding on what a survey found. @throws ShallowsError for a class that is not among those given, or an empty column */
export function fitEncoding(survey: Survey, roles: ColumnRoles, options: EncodingOptions): TableEncoding {
  const { fn, file, encoding, standardise, standardiseTarget } = options;
  const { task, numeric, categorical, targets } = roles;
  const scaling = (name: string, moments: Moments | undefined, scale: boolean): Scaling => {
    if (moments === undefined || moments.count === 0)
      throw new ShallowsError(
        `${fn}: expected a value in column ${shown(name)} of a training row of ${file}, got none - leave it out`,
      );
    const { mean, std } = moments;
    return { name, mean: scale ? mean : 0, std: scale ? std : 1, fill: mean };
  };
  const categories = survey.categories.map((set) => [...set].sort(byCodeUnits));
  const expand = (name: string, i: number): string[] =>
    encoding === 'index' ? [name] : (categories[i] ?? []).map((value) => `${name}=${value}`);
  return {
    roles,
    encoding,
    numeric: numeric.map((name, i) => scaling(name, survey.moments[i], standardise)),
    categories,
    features: [...numeric, ...categorical.flatMap(expand)],
    classes: task === 'classification' ? classesOf(survey, roles, options) : null,
    targets:
      task === 'regression'
        ? targets.map((name, i) => scaling(name, survey.moments[numeric.length + i], standardiseTarget))
        : null,
  };
}

function classesOf(survey: Survey, { targets }: ColumnRoles, { fn, file, classes }: EncodingOptions): string[] {
  const { train, validation } = survey.parts;
  const found = [...new Set([...train.classCounts.keys(), ...validation.classCounts.keys()])].sort(byCodeUnits);
  if (classes === null) {
    return found.every((name) => /^-?\d+$/.test(name)) ? found.sort((a, b) => Number(a) - Number(b)) : found;
  }
  const unknown = found.find((name) => !classes.includes(name));
  if (unknown === undefined) return [...classes];
  throw new ShallowsError(
    `${fn}: expected the classes ${classes.join(', ')} in column ${shown(targets[0])} of ${file}, got ${shown(unknown)} - ` +
      'add it to classes, or correct the cell',
  );
}

/** Whether inputs are whole numbers (int64) rather than float32: every feature is the index of a category. */
export function inputsAreIndices({ encoding, numeric }: TableEncoding): boolean {
  return encoding === 'index' && numeric.length === 0;
}

/** Encodes some rows of a chunk, `[chosen, features]` and `[chosen]` classes or `[chosen, targets]` numbers. */
export function rowEncoder(table: TableEncoding): (rows: RawRows, chosen: ArrayLike<number>) => Required<Block> {
  const { roles, encoding, numeric, categories, features, classes, targets } = table;
  const index = categories.map((values) => new Map(values.map((value, i) => [value, i])));
  const classIndex = classes === null ? null : new Map(classes.map((name, i) => [name, i]));
  const width = features.length;
  return (rows, chosen) => {
    const inputs = inputsAreIndices(table)
      ? new Int32Array(chosen.length * width)
      : new Float32Array(chosen.length * width);
    for (let i = 0; i < chosen.length; i++) {
      const row = chosen[i] ?? 0;
      let at = i * width;
      for (const [c, { mean, std, fill }] of numeric.entries()) {
        const value = rows.numbers[c]?.[row] ?? Number.NaN;
        inputs[at++] = ((Number.isNaN(value) ? fill : value) - mean) / std;
      }
      for (const [c, values] of categories.entries()) {
        const value = textAt(rows.texts[c], row);
        const found = value === null ? undefined : index[c]?.get(value);
        if (encoding === 'index') inputs[at++] = found === undefined ? 0 : found + 1;
        else {
          if (found !== undefined) inputs[at + found] = 1;
          at += values.length;
        }
      }
    }
    return { inputs, targets: encodeTargets(rows, chosen) };
  };

  function encodeTargets(
    rows: RawRows,
    chosen: ArrayLike<number>,
  ): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
    if (targets === null) {
      const column = rows.texts[roles.categorical.length];
      return Int32Array.from(chosen, (row) => classIndex?.get(textAt(column, row) ?? '') ?? -1);
    }
    const result = new Float32Array(chosen.length * targets.length);
    for (let i = 0; i < chosen.length; i++) {
      for (const [t, { mean, std }] of targets.entries()) {
        const value = rows.numbers[numeric.length + t]?.[chosen[i] ?? 0] ?? Number.NaN;
        result[i * targets.length + t] = (value - mean) / std;
      }
    }
    return result;
  }
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
