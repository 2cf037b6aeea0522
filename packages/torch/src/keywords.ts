import { generatorHandle } from './frame.js';
import { isTensorHandle } from './handle.js';
import type { Keywords } from './operator.js';

/** Whether a value is an options object: a plain one, neither a tensor, a list nor a generator. */
export function isKeywords(value: unknown): value is Keywords {
  if (typeof value !== 'object' || value === null || isTensorHandle(value)) return false;
  if (Array.isArray(value) || ArrayBuffer.isView(value) || generatorHandle in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
