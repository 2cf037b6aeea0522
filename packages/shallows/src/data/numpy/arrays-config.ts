import type { Limit } from '../config.js';

/** What NumPy arrays have in common, in .npy files and in one .npz file. */
export interface ArraysConfig {
  /** Where no validation arrays are given: the share of the rows that validate, chosen by their content. */
  readonly validationShare?: number | undefined;
  /** Classification unless given where targets are whole numbers `[N]`, else regression. */
  readonly task?: 'classification' | 'regression' | undefined;
  /** Names of the classes; the numbers from 0 to the largest target unless given. */
  readonly classes?: readonly string[] | undefined;
  /** Whether each feature, or channel of arrays of more dimensions, gets mean 0 and deviation 1 over the training rows. */
  readonly standardise?: boolean | undefined;
  /** What inputs become: int64 for numbers of tokens or categories. */
  readonly inputDtype?: 'float32' | 'int64' | undefined;
  readonly limit?: Limit | undefined;
}

/** Arrays in .npy files: rows are along the first dimension. */
export interface NpyConfig extends ArraysConfig {
  readonly kind: 'npy';
  readonly inputs: string;
  readonly targets: string;
  readonly validationInputs?: string | undefined;
  readonly validationTargets?: string | undefined;
}

/** Arrays of one .npz file, by name. */
export interface NpzConfig extends ArraysConfig {
  readonly kind: 'npz';
  readonly path: string;
  readonly inputs: string;
  readonly targets: string;
  readonly validationInputs?: string | undefined;
  readonly validationTargets?: string | undefined;
}
