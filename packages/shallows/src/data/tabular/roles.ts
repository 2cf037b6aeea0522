import { ShallowsError, shown } from '../../errors.js';
import { noSuchColumn } from './cell-errors.js';
import type { ReadColumns } from './raw-rows.js';

/** Which column is what. */
export interface ColumnChoice {
  /** What is learnt: one column, or for regression several. */
  readonly target: string | readonly string[];
  readonly task: 'classification' | 'regression';
  /** Columns that a model sees, in this order; all but target and segment unless given. */
  readonly features?: readonly string[] | undefined;
  /** Those of the features that name a category; the others are numbers. */
  readonly categorical?: readonly string[] | undefined;
  /** Columns that are left out, where `features` are not listed. */
  readonly ignore?: readonly string[] | undefined;
  /** Column whose values name groups of rows: counted, not learnt from. */
  readonly segment?: string | undefined;
}

/** The columns of a table by what they are for. */
export interface ColumnRoles {
  readonly task: 'classification' | 'regression';
  readonly numeric: readonly string[];
  readonly categorical: readonly string[];
  readonly targets: readonly string[];
  readonly segment: string | null;
}

/** Finds each column's role. @throws ShallowsError for a column that is not there, or has two roles */
export function columnRoles(fn: string, file: string, columns: readonly string[], choice: ColumnChoice): ColumnRoles {
  const { target, task, categorical = [], ignore = [], segment = null } = choice;
  const targets = typeof target === 'string' ? [target] : target;
  const apart = [...targets, ...(segment === null ? [] : [segment])];
  const features = choice.features ?? columns.filter((name) => !apart.includes(name) && !ignore.includes(name));
  for (const name of [...apart, ...features, ...categorical, ...ignore])
    if (!columns.includes(name)) throw noSuchColumn(fn, file, name, columns);
  const refuse = (expected: string, got: string, advice: string): never => {
    throw new ShallowsError(`${fn}: expected ${expected}, got ${got} - ${advice}`);
  };
  if (targets.length === 0) refuse('a target', 'none', 'name the column that is learnt');
  if (task === 'classification' && targets.length > 1)
    refuse('one target for classification', String(targets.length), 'name the column of the classes');
  const all = [...apart, ...features];
  const twice = all.find((name, i) => all.indexOf(name) !== i);
  if (twice !== undefined) refuse('each column in one role', `${shown(twice)} in two`, 'leave it out of one');
  if (features.length === 0) refuse(`features in ${file}`, 'none', 'list columns that a model sees');
  const stray = categorical.find((name) => !features.includes(name));
  if (stray !== undefined) refuse('categorical columns among the features', shown(stray), 'add it to features');
  return {
    task,
    numeric: features.filter((name) => !categorical.includes(name)),
    categorical: features.filter((name) => categorical.includes(name)),
    targets,
    segment,
  };
}

/** How the columns are read: numbers are the numeric features, then targets of a regression; texts the rest. */
export function readColumnsOf({ task, numeric, categorical, targets, segment }: ColumnRoles): ReadColumns {
  const regression = task === 'regression';
  return {
    numbers: regression ? [...numeric, ...targets] : numeric,
    texts: [...categorical, ...(regression ? [] : targets), ...(segment === null ? [] : [segment])],
  };
}
