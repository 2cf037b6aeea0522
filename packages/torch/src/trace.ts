import type { DType } from './dtype.js';
import { isTensorHandle } from './handle.js';
import { listen } from './listener.js';
import { isTensor, type Tensor } from './tensor.js';

/** A tensor in a trace: equal ids mean the same tensor object. */
export interface TracedTensor {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** An argument in a trace: a tensor, a plain value, or a list of them. */
export type TracedValue =
  | { readonly kind: 'tensor'; readonly tensor: TracedTensor }
  | { readonly kind: 'list'; readonly items: readonly TracedValue[] }
  | { readonly kind: 'value'; readonly value: number | bigint | string | boolean | null };

/** One operator call of a trace. */
export interface TracedCall {
  /** `aten::conv2d` */
  readonly op: string;
  readonly overload: string;
  readonly inputs: readonly TracedValue[];
  readonly keywords: Readonly<Record<string, TracedValue>>;
  readonly outputs: readonly TracedTensor[];
}

/** A trace while it runs, for code that says where in it something happened. */
export interface Tracing {
  /** The calls so far; grows as the trace goes on. */
  readonly calls: readonly TracedCall[];
  /** The id that a tensor has in the trace, also one that no operator has seen yet. */
  idOf(tensor: Tensor): number;
}

/** Runs `fn` and lists every operator it called, in order, with the shapes and dtypes that went in and out. */
export function trace<T>(fn: (tracing: Tracing) => T): { readonly result: T; readonly calls: readonly TracedCall[] } {
  const calls: TracedCall[] = [];
  const ids = new Map<object, number>();
  const describe = (tensor: Tensor): TracedTensor => {
    let id = ids.get(tensor);
    if (id === undefined) {
      id = ids.size;
      ids.set(tensor, id);
    }
    return { id, shape: tensor.shape, dtype: tensor.dtype };
  };
  const before = listen((operator, args, keywords, result) => {
    before?.(operator, args, keywords, result);
    calls.push({
      op: operator.name,
      overload: operator.overload,
      inputs: args.map((each) => traced(each, describe)),
      keywords: Object.fromEntries(
        Object.entries(keywords ?? {})
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => [name, traced(value, describe)]),
      ),
      outputs: tensorsIn(result).map(describe),
    });
  });
  try {
    return { result: fn({ calls, idOf: (tensor) => describe(tensor).id }), calls };
  } finally {
    listen(before);
  }
}

function traced(value: unknown, describe: (tensor: Tensor) => TracedTensor): TracedValue {
  if (isTensor(value)) return { kind: 'tensor', tensor: describe(value) };
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    return { kind: 'list', items: Array.from(value as ArrayLike<unknown>, (each) => traced(each, describe)) };
  }
  switch (typeof value) {
    case 'number':
    case 'bigint':
    case 'string':
    case 'boolean':
      return { kind: 'value', value };
    case 'object':
      return { kind: 'value', value: value === null ? null : '(generator)' };
    default:
      return { kind: 'value', value: null };
  }
}

function tensorsIn(value: unknown): Tensor[] {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  return typeof value === 'object' && value !== null && isTensorHandle(value) ? [value as Tensor] : [];
}
