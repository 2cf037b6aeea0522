import { ShallowsError } from '../errors.js';
import { Buffer, Parameter } from './parameter.js';

/** A place in a model: a module, or an array or plain object that holds some, and its path in PyTorch's names. */
export type Place = readonly [path: string, holder: object];

/** Tells modules from other objects; given by `module.ts`, which stands on this file. */
export type IsModule = (value: unknown) => boolean;

/**
 * The holder itself under `path` and every place below it, parents first, in the order of their fields. What is shared
 * comes as often as it is held.
 *
 * @throws ShallowsError where a module holds itself
 */
export function* placesIn(
  holder: object,
  path: string,
  isModule: IsModule,
  above: readonly object[] = [],
): Generator<Place> {
  yield [path, holder];
  const line = [...above, holder];
  for (const [name, child] of fieldsOf(holder)) {
    if (!isModule(child) && !isContainer(child)) continue;
    const place = joinPath(path, name);
    if (line.includes(child)) {
      throw new ShallowsError(
        `Module: expected a tree of modules, got one that holds itself at '${place}' - ` +
          'keep references to parents in #private fields',
      );
    }
    yield* placesIn(child, place, isModule, line);
  }
}

/** The parameters of one holder, then its buffers, each in the order of the fields. */
export function tensorsIn(holder: object): [name: string, tensor: Parameter | Buffer][] {
  const parameters: [string, Parameter][] = [];
  const buffers: [string, Buffer][] = [];
  for (const [name, value] of fieldsOf(holder)) {
    if (value instanceof Parameter) parameters.push([name, value]);
    else if (value instanceof Buffer) buffers.push([name, value]);
  }
  return [...parameters, ...buffers];
}

/** `layer1` and `0` make `layer1.0`. */
export function joinPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function* fieldsOf(holder: object): Generator<[name: string, value: object]> {
  // Only a module's fields are renamed: the keys of a plain object are the user's own words.
  const rename = isContainer(holder) ? (name: string): string => name : snakeCase;
  for (const [field, value] of Object.entries(holder)) {
    if (typeof value === 'object' && value !== null) yield [rename(field), value];
  }
}

function isContainer(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const snakeNames = new Map<string, string>();

/** @internal `runningMean` → `running_mean`, `conv1` → `conv1`, `toQKV` → `to_qkv`. */
export function snakeCase(name: string): string {
  let found = snakeNames.get(name);
  if (found === undefined) {
    const parts = name.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '_');
    found = parts === name ? name : parts.toLowerCase();
    snakeNames.set(name, found);
  }
  return found;
}
