import { ShallowsError } from '../../errors.js';

/** Variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the variables by which one launcher describes its processes, and says what is wrong with all of them at once. */
export class EnvironmentReader {
  readonly #env: Environment;
  readonly #launcher: string;
  readonly #names: readonly string[];
  readonly #problems: string[] = [];

  /** @param names every variable that the launcher may set, for messages */
  constructor(env: Environment, launcher: string, names: readonly string[]) {
    this.#env = env;
    this.#launcher = launcher;
    this.#names = names;
  }

  has(name: string): boolean {
    return (this.#env[name] ?? '') !== '';
  }

  text(name: string): string {
    const value = this.#env[name] ?? '';
    if (value === '') this.#problems.push(`${name} is missing`);
    return value;
  }

  /** @param otherwise taken where the variable is not set */
  whole(name: string, least: number, otherwise?: number): number {
    if (!this.has(name) && otherwise !== undefined) return otherwise;
    const value = this.text(name);
    if (/^\d+$/.test(value) && Number(value) >= least) return Number(value);
    if (value !== '') this.#problems.push(`${name} is no whole number from ${least}`);
    return least;
  }

  problem(text: string): void {
    this.#problems.push(text);
  }

  /** @throws ShallowsError that lists what was found and what is wrong */
  check(advice: string): void {
    if (this.#problems.length === 0) return;
    const found = this.#names.filter((name) => this.has(name)).map((name) => `${name}=${this.#env[name]}`);
    throw new ShallowsError(
      `readRanks: expected the variables of ${this.#launcher}, got ${found.join(', ') || 'none'}, where ${this.#problems.join(', and ')} - ${advice}`,
    );
  }
}
