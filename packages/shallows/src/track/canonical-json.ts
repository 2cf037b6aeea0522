import { createHash } from 'node:crypto';
import { ShallowsError, shown } from '../errors.js';

/**
 * The one JSON text of a value: no spaces, keys in order of their UTF-16 code units, numbers and strings as ECMAScript
 * prints them. Values that are equal have equal texts, whatever the order in which their keys were written.
 *
 * @param value plain JSON data; a key whose value is `undefined` counts as absent
 * @throws ShallowsError for what JSON cannot hold: NaN, infinities, bigints, functions, class instances, half a
 *   surrogate pair, a value that contains itself
 * @see RFC 8785, JSON Canonicalization Scheme
 */
export function canonicalJson(value: unknown): string {
  return write(value, '$', []);
}

/** The SHA-256 of a value's canonical JSON in UTF-8, as 64 hexadecimal digits. */
export function canonicalDigest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value), 'utf8').digest('hex');
}

function write(value: unknown, path: string, outer: readonly object[]): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === 'string') return writeString(value, path);
  if (typeof value !== 'object') throw refused(path, shown(value));
  if (outer.includes(value)) throw refused(path, 'a value that contains itself');
  const within = [...outer, value];
  if (Array.isArray(value)) {
    // Array.from, because map would leave the holes of a sparse array out.
    return `[${Array.from(value, (item: unknown, i) => write(item, `${path}[${String(i)}]`, within)).join(',')}]`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refused(path, 'an instance of a class');
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${writeString(key, path)}:${write(item, `${path}.${key}`, within)}`).join(',')}}`;
}

const HALF_PAIR = /\p{Surrogate}/u;

function writeString(text: string, path: string): string {
  if (HALF_PAIR.test(text)) throw refused(path, 'a string with half a surrogate pair');
  return JSON.stringify(text);
}

function refused(path: string, got: string): ShallowsError {
  return new ShallowsError(
    `canonicalJson: expected plain JSON data at ${path}, got ${got} - write it as a string or leave it out`,
  );
}
