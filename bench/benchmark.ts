import type { Spread } from './statistics.js';

/** How benchmarks are run. */
export interface Context {
  /** A Python with the peers; null where there is none: their rows then say so. */
  readonly python: string | null;
  /** Whether everything is only tried: the least work that shows that it runs, no figures to keep. */
  readonly quick: boolean;
  /** Whether `torch.compile` runs too, where it works. */
  readonly compile: boolean;
  /** Numbers of threads of an operator. */
  readonly threads: readonly number[];
  /** A folder for files of the benchmark, empty at first. */
  readonly folder: string;
  /** Shows what is under way. */
  readonly tell: (text: string) => void;
}

/** A table of a report: cells as they are read. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One thing that a goal asks for, beside what was measured. */
export interface GoalLine {
  /** Which goal: an index of `goals`, from 1. */
  readonly goal: number;
  readonly what: string;
  readonly limit: { readonly atMost: number } | { readonly atLeast: number };
  readonly value: Spread | null;
}

/** Met where the median keeps to the limit. */
export type Verdict = 'met' | 'not met' | 'not measured';

export function verdictOf({ limit, value }: Pick<GoalLine, 'limit' | 'value'>): Verdict {
  if (value === null || Number.isNaN(value.median)) return 'not measured';
  const isMet = 'atMost' in limit ? value.median <= limit.atMost : value.median >= limit.atLeast;
  return isMet ? 'met' : 'not met';
}

/** A benchmark whose rows are of any kind: JSON keeps them as they are. */
export interface Benchmark<Row = unknown> {
  readonly name: string;
  /** What is measured against what, in a sentence. */
  readonly about: string;
  run(context: Context): Promise<readonly Row[]> | readonly Row[];
  tables(rows: readonly Row[]): readonly Table[];
  /** Every line of the goals that the benchmark is about, also where rows lack what it needs. */
  goals(rows: readonly Row[]): readonly GoalLine[];
}
