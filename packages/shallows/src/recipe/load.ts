import { open } from 'node:fs/promises';
import { ShallowsError } from '../errors.js';
import { RecipeError } from './error.js';
import { parseRecipe } from './parse.js';
import type { Recipe } from './schema.js';
import { oneLine } from './show.js';

/**
 * Reads a recipe file with overrides. Relative paths inside a recipe are relative to the current folder, not to the file.
 *
 * @throws RecipeError for a file which is missing, no file, not UTF-8, or no recipe.
 */
export async function loadRecipe(path: string, overrides: readonly string[] = []): Promise<Recipe> {
  return parseRecipe(decode(await read(path), path), { file: path, overrides });
}

const mostBytes = 1_048_576;

/** Stops after a megabyte, so that a device file or a data set given by mistake is refused at once. */
async function read(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, 'r');
    const bytes = new Uint8Array(mostBytes);
    let length = 0;
    for (let step = -1; step !== 0 && length < mostBytes; length += step) {
      step = (await file.read(bytes, length, mostBytes - length)).bytesRead;
    }
    return bytes.subarray(0, length);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'an error';
    const got = { ENOENT: 'none', EISDIR: 'a folder', EACCES: 'one that may not be read' }[code] ?? code;
    const message = `expected a recipe file, got ${got} - write the path of a YAML file, relative to the current folder`;
    throw new RecipeError([{ location: oneLine(path), path: '', message }]);
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const { line, column } = firstBadByte(bytes);
    const message = 'expected UTF-8 text, got other bytes - save the file as UTF-8';
    throw new RecipeError([{ location: `${path}:${String(line)}:${String(column)}`, path: '', message }]);
  }
}

/** The first replacement character of a lenient decoding stands where the strict one failed. */
function firstBadByte(bytes: Uint8Array): { line: number; column: number } {
  const before = new TextDecoder('utf-8').decode(bytes);
  const at = before.indexOf('\ufffd');
  if (at < 0) throw new ShallowsError('internal: firstBadByte: expected bytes which are not UTF-8');
  const lines = before.slice(0, at).split('\n');
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
