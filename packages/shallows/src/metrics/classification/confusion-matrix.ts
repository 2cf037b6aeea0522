import { ShallowsError, shown } from '../../errors.js';
import { type RowValues, sameRows, toClasses } from '../statistics/input.js';
import { StateReader } from '../statistics/state.js';

/** Precision, recall and their harmonic mean, all in [0, 1]; 0 where a divisor is 0, as scikit-learn's `zero_division=0`. */
export interface PrecisionRecall {
  /** True positives / predicted positives. */
  readonly precision: number;
  /** True positives / actual positives. */
  readonly recall: number;
  /** 2 · precision · recall / (precision + recall) */
  readonly f1: number;
}

/** One class of a {@link ClassificationCounts}. */
export interface ClassCounts extends PrecisionRecall {
  /** Rows of this class. */
  readonly support: number;
  /** Rows predicted as this class. */
  readonly predicted: number;
}

/** What a {@link ConfusionMatrix} counted. */
export interface ClassificationCounts {
  readonly count: number;
  /** Rows predicted right / rows. */
  readonly accuracy: number;
  /** Mean recall of the classes that have rows. */
  readonly balancedAccuracy: number;
  /** `matrix[target][prediction]`, counts. */
  readonly matrix: readonly (readonly number[])[];
  readonly classes: readonly ClassCounts[];
  /** From the counts of all classes together: each is the accuracy. */
  readonly micro: PrecisionRecall;
  /** Plain means over the classes that occur among the targets or the predictions. */
  readonly macro: PrecisionRecall;
  /** Means weighted by support. */
  readonly weighted: PrecisionRecall;
}

/** The state of a {@link ConfusionMatrix}, plain data. */
export interface ConfusionMatrixState {
  readonly classes: number;
  /** `[classes · classes]`, target by target. */
  readonly counts: readonly number[];
}

/**
 * Counts of (target, prediction) pairs, from which accuracy, precision, recall and F1 follow: streaming and mergeable, with
 * C² numbers of state.
 */
export class ConfusionMatrix {
  readonly classes: number;
  readonly #counts: Float64Array;

  /**
   * @param classes how many classes there are, from 2
   * @throws ShallowsError for another number
   */
  constructor(classes: number) {
    if (!Number.isSafeInteger(classes) || classes < 2) {
      throw new ShallowsError(
        `ConfusionMatrix: expected at least two classes, got ${shown(classes)} - give their number`,
      );
    }
    this.classes = classes;
    this.#counts = new Float64Array(classes * classes);
  }

  /**
   * @param predictions classes `[N]`; see `predictedClasses` for scores
   * @param targets classes `[N]`
   * @throws ShallowsError for numbers that are no classes, or lists of two lengths
   */
  add(predictions: RowValues, targets: RowValues): void {
    const guessed = toClasses('ConfusionMatrix', 'predictions', predictions, this.classes);
    const actual = toClasses('ConfusionMatrix', 'targets', targets, this.classes);
    sameRows('ConfusionMatrix', guessed.length, actual.length);
    for (let i = 0; i < actual.length; i++) {
      const at = (actual[i] ?? 0) * this.classes + (guessed[i] ?? 0);
      this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    }
  }

  /** Adds the counts of another matrix. @throws ShallowsError for another number of classes */
  merge(other: ConfusionMatrix): void {
    if (other.classes !== this.classes) {
      throw new ShallowsError(
        `ConfusionMatrix: expected ${this.classes} classes to merge, got ${other.classes} - measure the same task`,
      );
    }
    for (const [i, count] of other.#counts.entries()) this.#counts[i] = (this.#counts[i] ?? 0) + count;
  }

  /** @throws ShallowsError when no row was added */
  result(): ClassificationCounts {
    const counts = this.#counts;
    const count = counts.reduce((sum, each) => sum + each, 0);
    if (count === 0) {
      throw new ShallowsError('ConfusionMatrix: expected at least one row, got none - add predictions first');
    }
    const size = this.classes;
    const matrix = Array.from({ length: size }, (_, row) => [...counts.subarray(row * size, (row + 1) * size)]);
    const classes = matrix.map((row, c): ClassCounts => {
      const hit = row[c] ?? 0;
      const support = row.reduce((sum, each) => sum + each, 0);
      const predicted = matrix.reduce((sum, each) => sum + (each[c] ?? 0), 0);
      return { support, predicted, ...scores(hit, predicted, support) };
    });
    const right = matrix.reduce((sum, row, c) => sum + (row[c] ?? 0), 0);
    const supported = classes.filter(({ support }) => support > 0);
    return {
      count,
      accuracy: right / count,
      balancedAccuracy: supported.reduce((sum, { recall }) => sum + recall, 0) / supported.length,
      matrix,
      classes,
      micro: scores(right, count, count),
      macro: averaged(
        classes.filter(({ support, predicted }) => support + predicted > 0),
        () => 1,
      ),
      weighted: averaged(classes, ({ support }) => support),
    };
  }

  /** The counts as plain data. */
  toJSON(): ConfusionMatrixState {
    return { classes: this.classes, counts: [...this.#counts] };
  }

  /** A matrix from what `toJSON` gave. @throws ShallowsError for other data */
  static fromJSON(state: unknown): ConfusionMatrix {
    const reader = new StateReader('ConfusionMatrix', state);
    const matrix = new ConfusionMatrix(reader.whole('classes', 2));
    matrix.#counts.set(reader.numbers('counts', matrix.classes ** 2));
    return matrix;
  }
}

function scores(hit: number, predicted: number, support: number): PrecisionRecall {
  return {
    precision: predicted === 0 ? 0 : hit / predicted,
    recall: support === 0 ? 0 : hit / support,
    f1: predicted + support === 0 ? 0 : (2 * hit) / (predicted + support),
  };
}

function averaged(classes: readonly ClassCounts[], weight: (each: ClassCounts) => number): PrecisionRecall {
  const total = classes.reduce((sum, each) => sum + weight(each), 0);
  const over = (value: (each: ClassCounts) => number): number =>
    classes.reduce((sum, each) => sum + weight(each) * value(each), 0) / total;
  return {
    precision: over((each) => each.precision),
    recall: over((each) => each.recall),
    f1: over((each) => each.f1),
  };
}
