import { ShallowsError, shown } from '../../errors.js';

/**
 * @internal Reads the plain state that `toJSON` of a measure gave, after its way through JSON.
 */
export class StateReader {
  readonly #fn: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(fn: string, state: unknown) {
    this.#fn = fn;
    if (typeof state !== 'object' || state === null || Array.isArray(state)) throw this.#error('an object', state);
    this.#fields = Object.fromEntries(Object.entries(state));
  }

  /** A finite number from `from`. */
  number(name: string, from = Number.NEGATIVE_INFINITY): number {
    const value = this.#fields[name];
    if (typeof value === 'number' && Number.isFinite(value) && value >= from) return value;
    throw this.#error(`a finite number${from === Number.NEGATIVE_INFINITY ? '' : ` from ${from}`} for ${name}`, value);
  }

  /** A whole number from `from`. */
  whole(name: string, from = 0): number {
    const value = this.number(name, from);
    if (Number.isSafeInteger(value)) return value;
    throw this.#error(`a whole number for ${name}`, value);
  }

  /** Finite numbers, `length` of them where that is given. */
  numbers(name: string, length?: number): Float64Array {
    const value = this.#fields[name];
    if (Array.isArray(value) && (length ?? value.length) === value.length) {
      const numbers = Float64Array.from(value, (each) => (typeof each === 'number' ? each : Number.NaN));
      if (numbers.every(Number.isFinite)) return numbers;
    }
    throw this.#error(`${length === undefined ? '' : `${length} `}finite numbers for ${name}`, value);
  }

  #error(expected: string, got: unknown): ShallowsError {
    return new ShallowsError(`${this.#fn}: expected ${expected}, got ${shown(got)} - give what toJSON() gave`);
  }
}
