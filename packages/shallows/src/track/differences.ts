/** A key at which values differ. */
export interface Difference {
  /** `train.duration` */
  readonly path: string;
  /** The value of each, in the order in which they were given; undefined where there is none. */
  readonly values: readonly unknown[];
}

/** The keys of nested values and what stands there: `train.duration` and `15ep`. Lists count as one value. */
export function flatten(value: unknown, prefix = ''): [path: string, value: unknown][] {
  if (!isObject(value)) return [[prefix, value]];
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, prefix === '' ? key : `${prefix}.${key}`));
}

/** The keys at which some of several plain values differ, in the order in which they were written. */
export function differences(values: readonly unknown[]): Difference[] {
  const columns = values.map((value) => new Map(flatten(value)));
  const paths = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  return paths.flatMap((path) => {
    const found = columns.map((column) => column.get(path));
    const texts = found.map((each) => JSON.stringify(each) ?? '');
    return texts.every((text) => text === texts[0]) ? [] : [{ path, values: found }];
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
