import type { Fault } from './read-yaml.js';
import { readYaml } from './read-yaml.js';
import { oneLine } from './show.js';
import type { Place, Tree } from './tree.js';

/** First place of an override among all places: problems of the file come first. */
export const overrideOrder = 1e9;

const wanted = 'path.to.key=value';

/**
 * Writes `path.to.key=value` texts into a recipe, the later over the earlier. Values are YAML. Sections which are missing
 * on the way are made; a number in a path is an item of a list that is there.
 */
export function applyOverrides(root: Tree, overrides: readonly string[]): Fault[] {
  return overrides.flatMap((text, index) =>
    applyOverride(root, text, { text: `override "${oneLine(text)}"`, order: overrideOrder + index }),
  );
}

function applyOverride(root: Tree, text: string, place: Place): Fault[] {
  const equals = text.indexOf('=');
  const path = text.slice(0, Math.max(equals, 0)).split('.');
  if (equals < 0 || path.some((key) => key.trim() === '' || key.length > 100) || path.length > 16) {
    const got = equals < 0 ? 'no =' : `the path "${oneLine(text.slice(0, equals))}"`;
    return [{ place, path: '', message: `expected ${wanted}, got ${got} - write for example train.duration=5ep` }];
  }
  const { tree, faults } = readYaml(text.slice(equals + 1), () => place);
  const value = tree ?? { kind: 'scalar', place, value: null };
  const stopped = faults.length > 0 ? null : write(root, path, value, place);
  const message =
    stopped === null
      ? null
      : `expected a section, got a value that holds no keys at ${oneLine(stopped)} - override that key as a whole`;
  return [
    ...faults.map((fault) => ({ ...fault, path: oneLine(path.join('.')) })),
    ...(message === null ? [] : [{ place, path: oneLine(path.join('.')), message }]),
  ];
}

/** Returns the path at which there is a value where a section is needed, or null when the value was written. */
function write(root: Tree, path: readonly string[], value: Tree, place: Place): string | null {
  let at = root;
  for (const [depth, key] of path.entries()) {
    const last = depth === path.length - 1;
    if (at.kind === 'scalar' || (at.kind === 'list' && !Object.hasOwn(at.items, key)))
      return path.slice(0, depth).join('.');
    const existing: Tree | undefined = at.kind === 'list' ? at.items[Number(key)] : at.entries.get(key)?.tree;
    const empty = existing === undefined || (existing.kind === 'scalar' && existing.value === null);
    const next: Tree = last ? value : empty ? { kind: 'map', place, entries: new Map() } : existing;
    if (at.kind === 'list') at.items[Number(key)] = next;
    else if (last || empty) at.entries.set(key, { place, tree: next });
    at = next;
  }
  return null;
}
