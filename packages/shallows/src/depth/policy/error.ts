import { ShallowsError } from '../../errors.js';

/** One field of a policy that is wrong, and what it should be. */
export interface PolicyProblem {
  readonly field: string;
  /** `expected …, got … - do …` */
  readonly message: string;
}

/**
 * All that is wrong with a policy, at once: one line a field.
 */
export class PolicyError extends ShallowsError {
  override readonly name = 'PolicyError';
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(`Policy: ${problems.map(({ field, message }) => `${field}: ${message}`).join('\n        ')}`);
    this.problems = problems;
  }
}
