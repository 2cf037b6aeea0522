import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type YAMLError,
} from 'yaml';
import { oneLine } from './show.js';
import type { Entry, Place, Tree } from './tree.js';

/** What a text held, and what was wrong with it as YAML. */
export interface Reading {
  readonly tree: Tree | null;
  readonly faults: readonly Fault[];
  /** True where the text is no YAML at all, so that keys which seem to be missing may only be misread. */
  readonly broken: boolean;
}

/** Something wrong with the text, at a key path where there is one. */
export interface Fault {
  readonly place: Place;
  readonly path: string;
  readonly message: string;
}

/** Limits which no recipe comes near, and which keep any text whatever cheap to refuse. */
const limits = { characters: 262_144, tokens: 100_000, nesting: 64, nodes: 100_000 };

/**
 * Reads YAML 1.2 into a tree of values with their places. Never throws and takes bounded time on any text: the library's
 * composer is recursive, so nesting is measured on the flat token stream before it runs, and aliases are counted as they expand.
 */
export function readYaml(text: string, placeOf: (offset: number, lines: LineCounter) => Place): Reading {
  const lines = new LineCounter();
  const place = (offset: number): Place => placeOf(offset, lines);
  const refuse = (offset: number, message: string): Reading => ({
    tree: null,
    faults: [{ place: place(offset), path: '', message }],
    broken: true,
  });
  if (text.length > limits.characters) {
    return refuse(
      0,
      `expected at most ${String(limits.characters)} characters, got ${String(text.length)} - check that this file is a recipe`,
    );
  }
  const tokens = tokenize(text, lines);
  if (!Array.isArray(tokens)) return refuse(tokens.offset, tokens.message);
  const composer = new Composer({
    uniqueKeys: false,
    logLevel: 'silent',
    keepSourceTokens: false,
    prettyErrors: false,
  });
  const documents = [...composer.compose(tokens, true, text.length)];
  const [document, second] = documents;
  if (document === undefined) return refuse(0, 'expected a recipe, got an empty text - write its sections');
  const errors = firstOfEachLine([...document.errors, ...document.warnings], lines);
  const faults: Fault[] = errors.map((error) => ({ place: place(error.pos[0]), path: '', message: explain(error) }));
  if (second !== undefined) {
    faults.push({
      place: place(second.range[0]),
      path: '',
      message: 'expected one YAML document, got another after --- - keep one recipe a file',
    });
  }
  const tree = new Reader(place, faults).read(document);
  return { tree, faults, broken: document.errors.length > 0 };
}

/** One slip makes several errors: the first on a line is the one to correct. */
function firstOfEachLine(errors: readonly YAMLError[], lines: LineCounter): YAMLError[] {
  const seen = new Set<number>();
  return [...errors]
    .sort((a, b) => a.pos[0] - b.pos[0])
    .filter((error) => {
      const { line } = lines.linePos(error.pos[0]);
      return !seen.has(line) && Boolean(seen.add(line));
    });
}

function tokenize(text: string, lines: LineCounter): CST.Token[] | { offset: number; message: string } {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > limits.nesting * 2) {
      return {
        offset: parser.offset,
        message: `expected at most ${String(limits.nesting)} levels, got more - write a recipe in sections and keys`,
      };
    }
    if (++count > limits.tokens) {
      return {
        offset: parser.offset,
        message: `expected at most ${String(limits.tokens)} tokens, got more - check that this file is a recipe`,
      };
    }
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

class Reader {
  readonly #anchors = new Map<string, unknown>();
  #nodes = 0;

  constructor(
    readonly place: (offset: number) => Place,
    readonly faults: Fault[],
  ) {}

  read(document: Document.Parsed): Tree | null {
    return this.#tree(document.contents, [], 0);
  }

  #tree(node: unknown, path: readonly string[], start: number): Tree {
    const offset = offsetOf(node) ?? start;
    const place = this.place(offset);
    const empty: Tree = { kind: 'scalar', place, value: null };
    if (++this.#nodes > limits.nodes || path.length > limits.nesting) {
      if (this.#nodes <= limits.nodes + 1) {
        this.#fault(offset, path, 'expected a recipe, got aliases that unfold without end - write the values out');
        this.#nodes = limits.nodes + 1;
      }
      return empty;
    }
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target !== undefined) return replace(this.#tree(target, path, offset), place);
      this.#fault(
        offset,
        path,
        `expected an anchor &${oneLine(node.source)} before this alias, got none - write the value out`,
      );
      return empty;
    }
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return empty;
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return { kind: 'scalar', place, value: scalar(node.value) };
    if (isSeq(node)) {
      return {
        kind: 'list',
        place,
        items: node.items.map((item, i) => this.#tree(item, [...path, String(i)], offset)),
      };
    }
    const entries = new Map<string, Entry>();
    for (const pair of node.items) {
      const keyOffset = offsetOf(pair.key) ?? offset;
      if (!isScalar(pair.key)) {
        this.#fault(keyOffset, path, 'expected a word as key, got a list, section or alias - write a plain key');
        continue;
      }
      const key = String(pair.key.value);
      const keyPlace = this.place(keyOffset);
      if (entries.has(key)) {
        this.#fault(keyOffset, [...path, key], 'expected each key once, got it twice - keep one of them');
        continue;
      }
      entries.set(key, { place: keyPlace, tree: this.#tree(pair.value, [...path, key], keyOffset) });
    }
    return { kind: 'map', place, entries };
  }

  #fault(offset: number, path: readonly string[], message: string): void {
    this.faults.push({ place: this.place(offset), path: oneLine(path.join('.')), message });
  }
}

function offsetOf(node: unknown): number | null {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : null;
}

/** Dates, binary and other tagged values have no place in a recipe: what is not JSON is read as its text. */
function scalar(value: unknown): unknown {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value) ? value : String(value);
}

/** An aliased value stands where the alias was written. */
function replace(tree: Tree, place: Place): Tree {
  return { ...tree, place };
}

const advice: Readonly<Record<string, readonly [got: string, advice: string]>> = {
  TAB_AS_INDENT: ['a tab as indentation', 'indent with spaces'],
  BAD_INDENT: [
    'a line that is indented differently, or a bracket left open before it',
    'give all keys of a section the same indentation',
  ],
  MISSING_CHAR: [
    'a missing quote, bracket or comma',
    'close what was opened, and quote text that holds :, # or brackets',
  ],
  MULTILINE_IMPLICIT_KEY: ['a key without a colon', 'write key: value'],
  UNEXPECTED_TOKEN: ['a character that cannot stand here', 'quote text that holds special characters'],
  BAD_SCALAR_START: ['a value that starts with a special character', 'put the value in quotes'],
  BAD_DQ_ESCAPE: ['an unknown escape in double quotes', 'use single quotes'],
  BLOCK_AS_IMPLICIT_KEY: [
    'a second colon on one line',
    'put the nested key on its own line, indented, or quote the value',
  ],
  KEY_OVER_1024_CHARS: ['a key of more than 1024 characters', 'check that this file is a recipe'],
  TAG_RESOLVE_FAILED: ['a tag', 'leave out the !'],
};

function explain(error: YAMLError): string {
  const [got, todo] = advice[error.code] ?? [oneLine(error.message.replace(/\s+/g, ' ')), 'correct the YAML here'];
  return `expected valid YAML, got ${got} - ${todo}`;
}
