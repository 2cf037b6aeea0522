import { createHash, type Hash } from 'node:crypto';
import { ShallowsError, shown } from '../../errors.js';
import type { Limit } from '../config.js';
import { cellError } from './cell-errors.js';
import { Moments } from './moments.js';
import type { ChunkPlace, RawRows, ReadColumns } from './raw-rows.js';
import { type ColumnRoles, readColumnsOf } from './roles.js';
import { RowBytes } from './row-bytes.js';
import { missingColumn, type Part, rowSorter, type SortRule } from './row-sorter.js';
import { textAt } from './text-column.js';

/** What becomes of a value that is missing: an error; what is usual in training; or its row is left out. */
export type MissingPolicy = 'error' | 'impute' | 'drop';

/** A chunk, and how many of its rows are for what. */
export interface SurveyedChunk {
  readonly place: ChunkPlace;
  readonly train: number;
  readonly validation: number;
}

/** What one pass over the rows of a part found. */
class PartSurvey {
  readonly rowsHash: Hash = createHash('sha256');
  readonly classCounts = new Map<string, number>();
  readonly segmentCounts = new Map<string, number>();
  rows = 0;
}

/** Options of {@link Survey}. */
export interface SurveyOptions {
  readonly fn: string;
  readonly roles: ColumnRoles;
  readonly missing: MissingPolicy;
  readonly limit: Limit;
  /** Most different values of a categorical column. */
  readonly mostCategories: number;
}

const mostClasses = 100_000;
/** What rows without a segment are counted as. */
const noSegment = '(none)';

/**
 * Looks at every row once, chunk by chunk, and keeps what is needed to encode them: moments and categories of the
 * training rows, counts and digests of both parts. Its memory does not grow with the rows.
 */
export class Survey {
  readonly parts: Readonly<Record<Part, PartSurvey>> = { train: new PartSurvey(), validation: new PartSurvey() };
  /** Of the columns read as numbers, over training rows. */
  readonly moments: readonly Moments[];
  /** Values of each categorical feature in training rows. */
  readonly categories: readonly Set<string>[];
  readonly #options: SurveyOptions;
  readonly #columns: ReadColumns;
  readonly #bytes = new RowBytes();

  constructor(options: SurveyOptions) {
    this.#options = options;
    this.#columns = readColumnsOf(options.roles);
    this.moments = this.#columns.numbers.map(() => new Moments());
    this.categories = options.roles.categorical.map(() => new Set());
  }

  /** A visitor for `scan` that takes in a file's rows. @returns also the list that it fills */
  file(file: string, rule: SortRule) {
    const sort = rowSorter(rule);
    const chunks: SurveyedChunk[] = [];
    const visit = (rows: RawRows, place: ChunkPlace): void => {
      const counts = { train: 0, validation: 0 };
      for (let row = 0; row < rows.rows; row++) {
        const part = sort(rows, row);
        if (part === null) continue;
        if (this.parts[part].rows >= (this.#options.limit[part] ?? Number.POSITIVE_INFINITY)) continue;
        this.#refuseMissing(file, rows, row, rule.hasSegment);
        this.#add(part, rows, row, file);
        counts[part]++;
      }
      chunks.push({ place, ...counts });
    };
    return { visit, chunks: chunks as readonly SurveyedChunk[] };
  }

  #add(part: Part, rows: RawRows, row: number, file: string): void {
    const { task, categorical, segment } = this.#options.roles;
    const found = this.parts[part];
    found.rows++;
    found.rowsHash.update(this.#bytes.of(rows, row));
    if (part === 'train') {
      for (const [i, column] of rows.numbers.entries()) this.moments[i]?.add(column[row] ?? Number.NaN);
      for (const [i, set] of this.categories.entries()) {
        const value = textAt(rows.texts[i], row);
        if (value !== null) this.#addCategory(set, value, categorical[i] ?? '', file);
      }
    }
    if (task === 'classification') {
      count(found.classCounts, textAt(rows.texts[categorical.length], row) ?? '');
      if (found.classCounts.size > mostClasses) this.#refuseClasses(file);
    }
    if (segment !== null) count(found.segmentCounts, textAt(rows.texts.at(-1), row) ?? noSegment);
  }

  #addCategory(set: Set<string>, value: string, column: string, file: string): void {
    set.add(value);
    const { fn, mostCategories } = this.#options;
    if (set.size <= mostCategories) return;
    throw new ShallowsError(
      `${fn}: expected at most ${mostCategories} different values in column ${shown(column)} of ${file}, got more - ` +
        'write encoding: index, or leave the column out',
    );
  }

  #refuseClasses(file: string): never {
    const { fn, roles } = this.#options;
    throw new ShallowsError(
      `${fn}: expected at most ${mostClasses} classes in column ${shown(roles.targets[0])} of ${file}, got more - ` +
        'write task: regression for numbers',
    );
  }

  /** With policy `impute` only targets must be there. */
  #refuseMissing(file: string, rows: RawRows, row: number, hasSegment: boolean): void {
    const { fn, missing, roles } = this.#options;
    const absent = missing === 'impute' ? this.#missingTarget(rows, row) : missingColumn(rows, row, hasSegment);
    if (absent === null) return;
    const column = this.#columns[absent.list][absent.index] ?? '';
    const cell = { file, row: rows.firstRow + row, column };
    const advice = roles.targets.includes(column)
      ? 'write missing: drop, or fill it in'
      : 'write missing: impute or missing: drop, or fill it in';
    throw cellError(fn, cell, 'a value', 'none', advice);
  }

  #missingTarget(rows: RawRows, row: number): ReturnType<typeof missingColumn> {
    const { task, numeric, categorical, targets } = this.#options.roles;
    if (task === 'classification') {
      const index = categorical.length;
      return textAt(rows.texts[index], row) === null ? { list: 'texts', index } : null;
    }
    const index = targets.findIndex((_, i) => Number.isNaN(rows.numbers[numeric.length + i]?.[row]));
    return index < 0 ? null : { list: 'numbers', index: numeric.length + index };
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
