/** Where something was written: a position of the file or an override. Problems are listed by `order`. */
export interface Place {
  readonly text: string;
  readonly order: number;
}

/** A recipe as it was written: plain values, each with its place. Maps, not objects: no key can reach a prototype. */
export type Tree =
  | { readonly kind: 'scalar'; readonly place: Place; readonly value: unknown }
  | { readonly kind: 'list'; readonly place: Place; readonly items: Tree[] }
  | { readonly kind: 'map'; readonly place: Place; readonly entries: Map<string, Entry> };

/** A key of a map with the place of the key itself. */
export interface Entry {
  readonly place: Place;
  readonly tree: Tree;
}

/** The plain value of a tree: objects without a prototype, arrays, scalars. */
export function plain(tree: Tree): unknown {
  switch (tree.kind) {
    case 'scalar':
      return tree.value;
    case 'list':
      return tree.items.map(plain);
    case 'map': {
      const object = Object.create(null) as Record<string, unknown>;
      for (const [key, entry] of tree.entries) object[key] = plain(entry.tree);
      return object;
    }
  }
}

/** The value at a path, or undefined. */
export function valueAt(tree: Tree, path: readonly PropertyKey[]): unknown {
  let at: Tree | undefined = tree;
  for (const key of path) at = child(at, key);
  return at === undefined ? undefined : plain(at);
}

/** Where a path was written: its value, or where it is missing, the key of the section which should hold it. */
export function placeAt(tree: Tree, path: readonly PropertyKey[], what: 'key' | 'value'): Place {
  let at: Tree = tree;
  let place = tree.place;
  for (const [depth, key] of path.entries()) {
    const next = child(at, key);
    if (next === undefined) return place;
    const last = depth === path.length - 1;
    const keyPlace = at.kind === 'map' ? (at.entries.get(String(key))?.place ?? next.place) : next.place;
    place = last && what === 'value' ? next.place : keyPlace;
    at = next;
  }
  return place;
}

function child(tree: Tree | undefined, key: PropertyKey): Tree | undefined {
  if (tree?.kind === 'map') return tree.entries.get(String(key))?.tree;
  if (tree?.kind === 'list') return tree.items[Number(key)];
  return undefined;
}
