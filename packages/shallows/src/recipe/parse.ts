import type { LineCounter } from 'yaml';
import { RecipeError, type RecipeProblem } from './error.js';
import { keysOfKind, kindsOf } from './introspect.js';
import { applyOverrides, overrideOrder } from './overrides.js';
import { readYaml } from './read-yaml.js';
import { type Recipe, sections } from './schema.js';
import type { Place, Tree } from './tree.js';
import { type Placed, validate } from './validate.js';

/** How to read a recipe's text. */
export interface ParseOptions {
  /** Name of the file in error messages. */
  readonly file?: string;
  /** `path.to.key=value` texts, the later over the earlier; values are YAML. */
  readonly overrides?: readonly string[];
}

/**
 * Reads a recipe: one YAML text of sections, with overrides written over it, to a complete, deep-frozen Recipe.
 * An override which gives a section another `kind` leaves out the keys of the file which only the old kind has.
 *
 * @throws RecipeError which lists all problems with their places: `file:line:column: path: expected …, got … - do …`.
 */
export function parseRecipe(text: string, { file = 'recipe', overrides = [] }: ParseOptions = {}): Recipe {
  const placeOf = (offset: number, lines: LineCounter): Place => {
    const { line, col } = lines.linePos(offset);
    return { text: `${file}:${String(Math.max(line, 1))}:${String(Math.max(col, 1))}`, order: offset };
  };
  const reading = readYaml(text, placeOf);
  const root = asMap(reading.tree, `${file}:1:1`);
  const kindsBefore = kindsIn(root);
  const faults = [...reading.faults, ...applyOverrides(root, overrides)];
  forgetOldKinds(root, kindsBefore);
  const checked = validate(root);
  const found: Placed[] = [
    ...faults.map(({ place, path, message }) => ({ place, problem: { location: place.text, path, message } })),
    ...(reading.broken
      ? checked.problems.filter((problem) => !isConsequence(problem, reading.faults))
      : checked.problems),
  ];
  if (found.length > 0) throw new RecipeError(inOrder(found));
  return deepFreeze(checked.recipe as Recipe);
}

/** An empty text is an empty recipe, so that what is missing is named. */
function asMap(tree: Tree | null, place: string): Tree {
  const empty = tree === null || (tree.kind === 'scalar' && tree.value === null);
  return empty ? { kind: 'map', place: { text: place, order: 0 }, entries: new Map() } : tree;
}

/** Beside a syntax error, a missing key or anything on the same line may only be misread. */
function isConsequence({ problem, place }: Placed, faults: readonly { readonly place: Place }[]): boolean {
  if (problem.message.includes(', got nothing - ') || problem.path === '') return true;
  const line = (text: string): string => text.slice(0, text.lastIndexOf(':'));
  return faults.some((fault) => line(fault.place.text) === line(place.text));
}

function kindsIn(root: Tree): Map<string, unknown> {
  return new Map(Object.keys(sections).map((section) => [section, kindEntry(root, section)?.value]));
}

function kindEntry(root: Tree, section: string): Extract<Tree, { kind: 'scalar' }> | undefined {
  const tree = root.kind === 'map' ? root.entries.get(section)?.tree : undefined;
  const kind = tree?.kind === 'map' ? tree.entries.get('kind')?.tree : undefined;
  return kind?.kind === 'scalar' ? kind : undefined;
}

function forgetOldKinds(root: Tree, before: ReadonlyMap<string, unknown>): void {
  for (const [section, old] of before) {
    const tree = root.kind === 'map' ? root.entries.get(section)?.tree : undefined;
    const now = kindEntry(root, section);
    if (tree?.kind !== 'map' || now === undefined || now.value === old || now.place.order < overrideOrder) continue;
    if (!kindsOf(section).includes(String(now.value))) continue;
    const keep = keysOfKind(section, now.value);
    const gone = keysOfKind(section, old).filter((key) => !keep.includes(key));
    for (const key of gone) {
      const entry = tree.entries.get(key);
      if (entry !== undefined && entry.place.order < overrideOrder && !isOverridden(entry.tree))
        tree.entries.delete(key);
    }
  }
}

function isOverridden(tree: Tree): boolean {
  if (tree.place.order >= overrideOrder) return true;
  if (tree.kind === 'list') return tree.items.some(isOverridden);
  return (
    tree.kind === 'map' &&
    [...tree.entries.values()].some((entry) => entry.place.order >= overrideOrder || isOverridden(entry.tree))
  );
}

function inOrder(found: readonly Placed[]): RecipeProblem[] {
  const seen = new Set<string>();
  return [...found]
    .sort((a, b) => a.place.order - b.place.order)
    .map(({ problem }) => problem)
    .filter(({ location, path, message }) => {
      const line = `${location} ${path} ${message}`;
      return !seen.has(line) && Boolean(seen.add(line));
    });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) deepFreeze(each);
  return Object.freeze(value);
}
