import { createHash } from 'node:crypto';
import { losslessJson } from '../lossless-json.js';

/** A line as it is written, without its newline. */
export interface SealedText {
  readonly text: string;
  readonly digest: string;
}

/** What the first line of a journal carries in place of a digest, where its run has no identity. */
export const NO_GENESIS = '0'.repeat(64);

/**
 * Writes an entry as a link of the chain: `{…,"prev":"…","digest":"…"}`, where `prev` is the digest of the line before it and
 * `digest` the SHA-256 of the line's UTF-8 text without that last key.
 *
 * So every byte of a line is under its own digest and every line but the last under the next one's.
 */
export function seal(entry: object, prev: string): SealedText {
  const body = losslessJson({ ...entry, prev });
  const digest = sha256(body);
  return { text: `${body.slice(0, -1)},"digest":"${digest}"}`, digest };
}

/** What is wrong with a line, as the parts of a message. */
export interface Fault {
  readonly expected: string;
  readonly got: string;
}

/** A line whose digest is that of its content. */
export interface Unsealed {
  readonly value: Readonly<Record<string, unknown>>;
  readonly prev: string;
  readonly digest: string;
}

const SEAL = /^,"digest":"([0-9a-f]{64})"\}$/;
const SEAL_LENGTH = ',"digest":""}'.length + 64;

/** Reads a line back and checks its digest. */
export function unseal(line: Buffer): Unsealed | Fault {
  const at = Math.max(0, line.length - SEAL_LENGTH);
  const [, digest] = SEAL.exec(line.toString('latin1', at)) ?? [];
  if (digest === undefined)
    return { expected: 'a line that ends with its digest', got: `${String(line.length)} bytes that do not` };
  const found = createHash('sha256').update(line.subarray(0, at)).update('}').digest('hex');
  if (found !== digest) return { expected: `the content of digest ${short(digest)}`, got: `that of ${short(found)}` };
  const value = parse(line);
  if (value === null || typeof value.prev !== 'string')
    return { expected: 'a JSON object with prev', got: 'something else' };
  return { value, prev: value.prev, digest };
}

/** The first digits of a digest, for messages. */
export function short(digest: string): string {
  return digest.slice(0, 12);
}

function parse(bytes: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
