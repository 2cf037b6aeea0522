import { didYouMean, shown } from '../../errors.js';
import { PolicyError, type PolicyProblem } from './error.js';

/** Collects what is wrong with named fields, to report all of it at once. */
export class FieldCheck {
  readonly #problems: PolicyProblem[] = [];

  add(field: string, message: string): this {
    this.#problems.push({ field, message });
    return this;
  }

  /** One of some words. */
  word(field: string, word: unknown, known: readonly string[]): void {
    if (typeof word === 'string' && known.includes(word)) return;
    const hint = typeof word === 'string' ? didYouMean(word, known) : '';
    const words = known.join(', ').replace(/, (?=[^,]*$)/, ' or ');
    this.add(field, `expected ${words}, got ${shown(word)}${hint} - use one of these words`);
  }

  /** A number in [0, 1]. */
  rate(field: string, rate: unknown, advice: string): void {
    if (typeof rate === 'number' && rate >= 0 && rate <= 1) return;
    this.add(field, `expected a rate in [0, 1], got ${shown(rate)} - ${advice}`);
  }

  /** No field that is not known. */
  known(given: readonly string[], known: readonly string[]): void {
    for (const field of given) {
      if (known.includes(field)) continue;
      this.add(field, `expected one of ${known.join(', ')}${didYouMean(field, known)} - remove or rename it`);
    }
  }

  /** @throws PolicyError where anything was added */
  done(): void {
    if (this.#problems.length > 0) throw new PolicyError(this.#problems);
  }
}
