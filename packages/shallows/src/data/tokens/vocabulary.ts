import { ShallowsError, shown } from '../../errors.js';
import { readBytes } from '../read-file.js';

const fn = 'readVocabulary';

/** How a text is cut into tokens: the longest known one at each place, or words between white space. */
export type TokenSplit = 'longest' | 'words';

/** The token of text that is not known, where a vocabulary has it. */
const unknownToken = '<unk>';

/**
 * Reads a vocabulary: one token a line, whose number is its line from 0; or a JSON file, a list of tokens, which may hold
 * line ends.
 *
 * @throws ShallowsError for a token that is there twice or is empty
 */
export async function readVocabulary(file: string): Promise<readonly string[]> {
  const text = new TextDecoder().decode(await readBytes(fn, file, 'check the path'));
  const tokens = file.endsWith('.json') ? fromJson(text, file) : text.replace(/\r?\n$/, '').split(/\r?\n/);
  const seen = new Set<string>();
  for (const [i, token] of tokens.entries()) {
    const got = token === '' ? 'an empty one' : seen.has(token) ? `${shown(token)} again` : null;
    if (got !== null)
      throw new ShallowsError(`${fn}: expected a new token as number ${i} of ${file}, got ${got} - remove it`);
    seen.add(token);
  }
  return tokens;
}

function fromJson(text: string, file: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ShallowsError(`${fn}: expected JSON in ${file}, got other text - write a list of tokens`, {
      cause: error,
    });
  }
  const list: unknown[] = Array.isArray(value) ? value : [];
  const tokens = list.filter((each) => typeof each === 'string');
  if (tokens.length > 0 && tokens.length === list.length) return tokens;
  throw new ShallowsError(`${fn}: expected a list of tokens in ${file}, got ${shown(value)} - write ["a", "b"]`);
}

/** Cuts text that comes piece by piece into numbers of tokens. */
export class Tokeniser {
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #longest: number;
  readonly #unknown: number | null;
  readonly #split: TokenSplit;
  readonly #file: string;
  #rest = '';
  #before = 0;

  /** @param file what errors call the text */
  constructor(vocabulary: readonly string[], split: TokenSplit, file: string) {
    this.#numbers = new Map(vocabulary.map((token, i) => [token, i]));
    this.#longest = vocabulary.reduce((most, token) => Math.max(most, token.length), 1);
    this.#unknown = this.#numbers.get(unknownToken) ?? null;
    this.#split = split;
    this.#file = file;
  }

  /** The numbers of the tokens that are surely whole. @param last whether no more text comes */
  push(text: string, last: boolean): number[] {
    this.#rest += text;
    return this.#split === 'words' ? this.#words(last) : this.#longestFirst(last);
  }

  #words(last: boolean): number[] {
    const numbers: number[] = [];
    const word = /\S+/g;
    let end = 0;
    for (let match = word.exec(this.#rest); match !== null; match = word.exec(this.#rest)) {
      // A word at the end of a piece may go on in the next one.
      if (!last && word.lastIndex === this.#rest.length) break;
      numbers.push(this.#number(match[0], match.index));
      end = word.lastIndex;
    }
    this.#drop(end);
    return numbers;
  }

  #longestFirst(last: boolean): number[] {
    const numbers: number[] = [];
    let at = 0;
    while (at < this.#rest.length && (last || this.#rest.length - at >= this.#longest)) {
      let length = Math.min(this.#longest, this.#rest.length - at);
      while (length > 1 && !this.#numbers.has(this.#rest.slice(at, at + length))) length--;
      // A character beyond the first 65,536 is two units: what is unknown is the whole of it.
      const [first = ''] = this.#rest.slice(at, at + 2);
      const token =
        length === 1 && !this.#numbers.has(this.#rest.slice(at, at + 1)) ? first : this.#rest.slice(at, at + length);
      numbers.push(this.#number(token, at));
      at += token.length;
    }
    this.#drop(at);
    return numbers;
  }

  #number(token: string, at: number): number {
    const number = this.#numbers.get(token) ?? this.#unknown;
    if (number !== null) return number;
    throw new ShallowsError(
      `loadData: expected tokens of the vocabulary in ${this.#file}, got ${shown(token)} at character ${this.#before + at} - ` +
        `add it, or ${unknownToken} for all that is unknown`,
    );
  }

  #drop(length: number): void {
    this.#before += length;
    this.#rest = this.#rest.slice(length);
  }
}
