import { ShallowsError, shown } from '../errors.js';
import type { Key } from '../random/key.js';

/** One number for both axes, or `[height, width]`. */
export type Pair = number | readonly [height: number, width: number];

/**
 * Checks the arguments of one constructor or function and reports all that is wrong at once:
 * `Conv2d: stride: expected a whole number from 1, got NaN; groups: expected … - advice`.
 */
export class Settings {
  readonly #fn: string;
  readonly #problems: string[] = [];

  constructor(fn: string) {
    this.#fn = fn;
  }

  /** A whole number from `from`. */
  whole(name: string, value: number, from: number): this {
    return this.expect(Number.isSafeInteger(value) && value >= from, name, `a whole number from ${from}`, value);
  }

  /** A finite number that also passes `holds`; `range` says how: `from 0`. */
  number(name: string, value: number, range: string, holds: (value: number) => boolean): this {
    return this.expect(Number.isFinite(value) && holds(value), name, `a number ${range}`.trimEnd(), value);
  }

  /** A whole number from `from`, or two of them. */
  pair(name: string, value: Pair, from: number): this {
    const sizes: readonly unknown[] = Array.isArray(value) ? value : [value, value];
    const good = sizes.length === 2 && sizes.every((size) => Number.isSafeInteger(size) && (size as number) >= from);
    return this.expect(good, name, `a whole number from ${from} or two`, value);
  }

  flag(name: string, value: boolean): this {
    return this.expect(typeof value === 'boolean', name, 'true or false', value);
  }

  word(name: string, value: string, words: readonly string[]): this {
    return this.expect(words.includes(value), name, words.join(', ').replace(/, (?=[^,]*$)/, ' or '), value);
  }

  key(value: Key): this {
    const uint32 = (word: unknown): boolean => typeof word === 'number' && word >>> 0 === word;
    const good = typeof value === 'object' && value !== null && uint32(value.hi) && uint32(value.lo);
    return this.expect(good, 'key', 'a key of rootKey or deriveKey', value);
  }

  expect(holds: boolean, name: string, expected: string, got: unknown): this {
    if (!holds) this.#problems.push(`${name}: expected ${expected}, got ${inFull(got)}`);
    return this;
  }

  /** @throws ShallowsError where something was wrong */
  check(advice: string): void {
    if (this.#problems.length > 0) throw new ShallowsError(`${this.#fn}: ${this.#problems.join('; ')} - ${advice}`);
  }
}

/** Short lists with their items, all else as in every message. */
function inFull(value: unknown): string {
  return Array.isArray(value) && value.length <= 4 ? `[${value.map(shown).join(', ')}]` : shown(value);
}

/** Both axes of a pair that was checked. */
export function both(value: Pair): readonly [height: number, width: number] {
  return typeof value === 'number' ? [value, value] : [value[0], value[1]];
}
