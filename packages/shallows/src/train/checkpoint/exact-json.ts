import { ShallowsError, shown } from '../../errors.js';
import type { JsonObject, JsonValue } from '../../nn/index.js';
import { limits } from './layout.js';

/** An object with this key alone stands for a number that JSON has no word for. */
const numberKey = '$number';
const special = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/**
 * JSON that gives back exactly what was written: numbers that JSON lacks become `{ "$number": "NaN" }` (`Infinity`,
 * `-Infinity`, `-0`). Whatever would come back as something else is refused.
 *
 * @param fn what the errors begin with
 * @throws ShallowsError naming the place of what is no plain data, or of data nested too deep
 */
export function writeExactJson(fn: string, value: unknown, indent?: number): string {
  return JSON.stringify(plain(value, '$', 0), null, indent);

  function plain(item: unknown, path: string, depth: number): unknown {
    if (item === null || typeof item === 'boolean' || typeof item === 'string') return item;
    if (typeof item === 'number')
      return Number.isFinite(item) && !Object.is(item, -0) ? item : { [numberKey]: textOf(item) };
    if (typeof item !== 'object') throw refused(path, shown(item));
    if (depth === limits.jsonDepth) throw refused(path, `data nested deeper than ${limits.jsonDepth}`);
    if (Array.isArray(item)) return Array.from(item, (each, i) => plain(each, `${path}[${i}]`, depth + 1));
    const prototype: unknown = Object.getPrototypeOf(item);
    if (prototype !== Object.prototype && prototype !== null) throw refused(path, 'an instance of a class');
    if (Object.hasOwn(item, numberKey)) throw refused(path, `the key ${numberKey}, which stands for numbers`);
    return Object.fromEntries(
      Object.entries(item).map(([key, each]) => [key, plain(each, `${path}.${key}`, depth + 1)]),
    );
  }

  function refused(path: string, got: string): ShallowsError {
    return new ShallowsError(
      `${fn}: expected plain JSON data at ${path}, got ${got} - write it as text or leave it out`,
    );
  }
}

function textOf(item: number): string {
  return Object.is(item, -0) ? '-0' : String(item);
}

/**
 * Reads what {@link writeExactJson} wrote. However broken the text, it ends with a value or an error: depth is bounded
 * before anything is parsed.
 *
 * @throws ShallowsError for text that is no such JSON
 */
export function readExactJson(fn: string, text: string): JsonValue {
  if (nesting(text) > limits.jsonDepth) throw wrong(`data nested at most ${limits.jsonDepth} deep, got more`);
  let parsed: JsonValue;
  try {
    parsed = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw wrong(`JSON, got ${error instanceof Error ? error.message : String(error)}`);
  }
  return restored(parsed);

  function restored(item: JsonValue): JsonValue {
    if (typeof item !== 'object' || item === null) return item;
    if (isList(item)) return item.map(restored);
    if (!Object.hasOwn(item, numberKey)) {
      return Object.fromEntries(Object.entries(item).map(([key, each]) => [key, restored(each)]));
    }
    const word = item[numberKey];
    const number = typeof word === 'string' ? special.get(word) : undefined;
    if (number === undefined) throw wrong(`a number that JSON lacks in ${numberKey}, got ${shown(word)}`);
    return number;
  }

  function wrong(what: string): ShallowsError {
    return new ShallowsError(`${fn}: expected ${what} - the file was changed`);
  }
}

function isList(item: readonly JsonValue[] | JsonObject): item is readonly JsonValue[] {
  return Array.isArray(item);
}

/** The deepest nesting of brackets outside of strings. */
function nesting(text: string): number {
  let [depth, deepest, inString] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth--;
  }
  return deepest;
}
