import { z } from 'zod';
import { sections } from './schema.js';

type Kinds = readonly string[];

/** The keys that may stand at a path of a recipe, given its plain value, or null where no section is. */
export function keysAt(path: readonly PropertyKey[], value: unknown): Kinds | null {
  if (path.length === 0) return Object.keys(sections);
  let schema: z.ZodType | undefined;
  let at: unknown = value;
  let shape: Readonly<Record<string, unknown>> = sections;
  for (const [place, key] of path.entries()) {
    if (schema instanceof z.ZodArray && typeof key === 'number') {
      schema = unwrap(schema.element);
      at = Array.isArray(at) ? at[key] : undefined;
    } else {
      if (typeof key !== 'string' || !Object.hasOwn(shape, key)) return null;
      schema = unwrap(shape[key]);
      at = field(at, key);
    }
    if (schema instanceof z.ZodArray && place < path.length - 1) continue;
    const object = schema instanceof z.ZodDiscriminatedUnion ? optionOf(schema, field(at, 'kind')) : schema;
    if (!(object instanceof z.ZodObject)) return null;
    shape = object.shape;
  }
  return Object.keys(shape);
}

/** What is valid in a section that is not valid as a whole: its value without the given keys, no key required. */
export function validPart(section: string, value: unknown, wrong: ReadonlySet<string>): unknown {
  const schema = unwrap(sections[section as keyof typeof sections]);
  const object = schema instanceof z.ZodDiscriminatedUnion ? optionOf(schema, field(value, 'kind')) : schema;
  if (!(object instanceof z.ZodObject) || typeof value !== 'object' || value === null) return undefined;
  const kept = Object.entries(value).filter(([key]) => !wrong.has(key) && Object.hasOwn(object.shape, key));
  const result = object.partial().safeParse(Object.fromEntries(kept));
  // A key that is wrong or misspelt must not come back as its default.
  return result.success
    ? Object.fromEntries(Object.entries(result.data).filter(([key]) => Object.hasOwn(value, key) && !wrong.has(key)))
    : undefined;
}

/** The kinds that a section has, empty for one without. */
export function kindsOf(section: string): Kinds {
  const schema = Object.hasOwn(sections, section) ? unwrap(sections[section as keyof typeof sections]) : undefined;
  return schema instanceof z.ZodDiscriminatedUnion ? objects(schema).map(kindOf) : [];
}

/** The keys of a section of a kind, empty where there is no such kind. */
export function keysOfKind(section: string, kind: unknown): Kinds {
  return kindsOf(section).includes(String(kind)) ? (keysAt([section], { [section]: { kind } }) ?? []) : [];
}

let everyPath: readonly string[] | null = null;

/** Every key of every section as a dotted path, over all kinds: `optimizer.lr`. */
export function allPaths(): readonly string[] {
  everyPath ??= listPaths();
  return everyPath;
}

function listPaths(): string[] {
  const paths = new Set<string>();
  const walk = (prefix: string, node: unknown): void => {
    const schema = unwrap(node);
    const shapes = schema instanceof z.ZodDiscriminatedUnion ? objects(schema) : [schema];
    if (prefix !== '') paths.add(prefix);
    for (const each of shapes) {
      if (!(each instanceof z.ZodObject)) continue;
      for (const [key, child] of Object.entries(each.shape)) walk(prefix === '' ? key : `${prefix}.${key}`, child);
    }
  };
  for (const [key, schema] of Object.entries(sections)) walk(key, schema);
  return [...paths];
}

function unwrap(schema: unknown): z.ZodType | undefined {
  let inner = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodExactOptional
  )
    inner = inner.unwrap();
  return inner instanceof z.ZodType ? inner : undefined;
}

function objects(union: z.ZodDiscriminatedUnion): z.ZodObject[] {
  return union.options.filter((option): option is z.ZodObject => option instanceof z.ZodObject);
}

function kindOf(object: z.ZodObject): string {
  const { kind } = object.shape;
  return kind instanceof z.ZodLiteral ? String(kind.value) : '';
}

function optionOf(union: z.ZodDiscriminatedUnion, kind: unknown): z.ZodObject | undefined {
  return objects(union).find((object) => kindOf(object) === kind);
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
