/** What is wrong with a text, and where. */
export class ScanError extends Error {}

/**
 * Reads the JSON of a safetensors header piece by piece. `JSON.parse` would not do: it keeps the last of two equal keys
 * and rounds large numbers, and a strict reader must see both.
 */
export class Scanner {
  #at = 0;

  constructor(readonly text: string) {}

  /** Takes one character of punctuation. */
  expect(character: string): void {
    this.#skip();
    if (this.text[this.#at] !== character) this.fail(`'${character}'`);
    this.#at++;
  }

  /** Takes the character where it stands here. */
  accept(character: string): boolean {
    this.#skip();
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  string(): string {
    this.#skip();
    const literal = this.#match(/"[^"\\]*(?:\\.[^"\\]*)*"/y);
    if (literal === undefined) this.fail('a string');
    try {
      return JSON.parse(literal) as string;
    } catch {
      this.#at -= literal.length;
      return this.fail('a string of JSON');
    }
  }

  /** A whole number from 0 to 2⁵³ − 1. */
  integer(): number {
    this.#skip();
    const digits = this.#match(/(?:0|[1-9][0-9]*)(?![0-9.eE])/y);
    const value = Number(digits);
    if (digits !== undefined && Number.isSafeInteger(value)) return value;
    if (digits !== undefined) this.#at -= digits.length;
    return this.fail('a whole number from 0 to 2^53 - 1');
  }

  /** The members of an object; `visit` reads each value. Throws at a key that comes twice. */
  object(visit: (key: string) => void): void {
    const seen = new Set<string>();
    this.expect('{');
    if (this.accept('}')) return;
    do {
      const key = this.string();
      if (seen.has(key)) throw new ScanError(`expected each key once, got '${shortened(key)}' twice`);
      seen.add(key);
      this.expect(':');
      visit(key);
    } while (this.accept(','));
    this.expect('}');
  }

  /** The items of an array; `visit` reads each. */
  array(visit: () => void): void {
    this.expect('[');
    if (this.accept(']')) return;
    do visit();
    while (this.accept(','));
    this.expect(']');
  }

  /** Only white space may follow. */
  end(): void {
    this.#skip();
    if (this.#at < this.text.length) this.fail('the end of the header');
  }

  fail(expected: string): never {
    const rest = this.text.slice(this.#at, this.#at + 20);
    throw new ScanError(`expected ${expected} at character ${this.#at} of the header, got ${JSON.stringify(rest)}`);
  }

  #skip(): void {
    while (' \t\n\r'.includes(this.text[this.#at] ?? 'x')) this.#at++;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

/** A name for a message, cut where it is long. */
export function shortened(name: string): string {
  return name.length > 60 ? `${name.slice(0, 57)}…` : name;
}
