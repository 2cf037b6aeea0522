import { TorchError } from './errors.js';
import { handleOf, isTensorHandle, TensorHandle } from './handle.js';
import { native } from './native.js';

// The encoding of arguments and results as doubles in one buffer that both sides share: `native/frame.h` is the other
// side. One native call with one number then carries a whole operator call, which is what makes small operators cheap.
const NONE = 0;
const NUMBER = 1;
const TRUE = 2;
const FALSE = 3;
const TENSOR = 4;
const LIST = 5;
const STRING = 6;
const BIGINT = 7;
const GENERATOR = 8;
const SAME = 9;
const COMPLEX = 10;
const DEFAULT = 11;

const MAX_LIST = 1_000_000;
const MAX_TEXT = 100_000;
const MAX_DEPTH = 4;

let words: Float64Array = new Float64Array(0);
let top = 0;

/** Something that stands for a native random generator. */
export interface GeneratorHandle {
  readonly [generatorHandle]: number;
}
export const generatorHandle: unique symbol = Symbol('generatorHandle');

/** A complex number, as `item()` gives it for complex tensors. */
export interface Complex {
  readonly re: number;
  readonly im: number;
}

function room(count: number): void {
  if (top + count <= words.length) return;
  words = native().frame(Math.max(4096, words.length * 2, top + count));
}

/** The shared buffer with at least `count` free words at its end. */
export function freeWords(count: number): Float64Array {
  room(count);
  return words;
}

/** Where the next call may write. */
export function mark(): number {
  return top;
}

/** Forgets what was written since {@link mark}. */
export function reset(position: number): void {
  top = position;
}

/** Appends one word. */
export function push(word: number): void {
  room(1);
  words[top++] = word;
}

/** Overwrites one word. */
export function poke(position: number, word: number): void {
  words[position] = word;
}

function push2(tag: number, word: number): void {
  room(2);
  words[top++] = tag;
  words[top++] = word;
}

/** Appends one JavaScript value. Throws where it has no form in the dispatcher; never runs native code on it. */
export function encode(value: unknown, depth = 0): void {
  switch (typeof value) {
    case 'number':
      push2(NUMBER, value);
      return;
    case 'boolean':
      push(value ? TRUE : FALSE);
      return;
    case 'undefined':
      push(DEFAULT);
      return;
    case 'string':
      encodeText(value);
      return;
    case 'bigint':
      encodeBigInt(value);
      return;
    case 'object':
      break;
    default:
      throw new TorchError(`expected a tensor, number, string, boolean or array, got a ${typeof value}`);
  }
  if (value === null) {
    push(NONE);
  } else if (isTensorHandle(value)) {
    const handle = handleOf(value);
    if (handle === 0) {
      throw new TorchError(
        'expected a live tensor, got one that was disposed - return it from scope(() => …), or keep(tensor)',
      );
    }
    push2(TENSOR, handle);
  } else if (Array.isArray(value) || isNumberArray(value)) {
    encodeList(value, depth);
  } else if (generatorHandle in value) {
    push2(GENERATOR, Number(value[generatorHandle]));
  } else {
    throw new TorchError(`expected a tensor, number, string, boolean or array, got ${describeObject(value)}`);
  }
}

function encodeList(value: ArrayLike<unknown>, depth: number): void {
  const { length } = value;
  if (depth >= MAX_DEPTH) throw new TorchError(`expected lists nested at most ${MAX_DEPTH} deep, got a deeper one`);
  if (length > MAX_LIST) {
    throw new TorchError(`expected a list of at most ${MAX_LIST} items, got ${length} - make a tensor of it first`);
  }
  push2(LIST, length);
  for (let i = 0; i < length; i++) encode(value[i], depth + 1);
}

function encodeText(value: string): void {
  if (value.length > MAX_TEXT)
    throw new TorchError(`expected a string of at most ${MAX_TEXT} characters, got ${value.length}`);
  push2(STRING, value.length);
  room(value.length);
  for (let i = 0; i < value.length; i++) words[top++] = value.charCodeAt(i);
}

function encodeBigInt(value: bigint): void {
  if (BigInt.asIntN(64, value) !== value) throw new TorchError(`expected an integer of 64 bits, got ${value}n`);
  push(BIGINT);
  push2(Number(value >> 32n), Number(value & 0xffffffffn));
}

function isNumberArray(value: object): value is ArrayLike<number | bigint> {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function describeObject(value: object): string {
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== '' ? `an object of type ${name}` : 'an object';
}

/** Makes the object for a handle that the native side returned. */
export type MakeTensor = (handle: number) => TensorHandle;
let makeTensor: MakeTensor = (handle) => new TensorHandle(handle);

/** Names the class of which results are made. */
export function setTensorClass(make: MakeTensor): void {
  makeTensor = make;
}

/** Makes the tensor for a handle of the native side. */
export function tensorFor(handle: number): TensorHandle {
  return makeTensor(handle);
}

let cursor = 0;

/** Reads one result from the shared buffer at `position`, or from `overflow` where it did not fit. */
export function decode(
  position: number,
  overflow: Float64Array | null,
  args: readonly unknown[],
  keywords: Readonly<Record<string, unknown>> | undefined,
): unknown {
  if (overflow === null && words[position] === TENSOR) return makeTensor(words[position + 1] as number);
  cursor = overflow === null ? position : 0;
  return decodeAt(overflow ?? words, args, keywords);
}

function decodeAt(
  from: Float64Array,
  args: readonly unknown[],
  keywords: Readonly<Record<string, unknown>> | undefined,
): unknown {
  const tag = from[cursor++];
  switch (tag) {
    case NONE:
      return null;
    case NUMBER:
      return from[cursor++];
    case TRUE:
      return true;
    case FALSE:
      return false;
    case TENSOR:
      return makeTensor(from[cursor++] as number);
    case SAME:
      return findArgument(from[cursor++] as number, args, keywords);
    case BIGINT:
      return (BigInt(from[cursor++] as number) << 32n) | BigInt(from[cursor++] as number);
    case COMPLEX: {
      const value: Complex = { re: from[cursor++] as number, im: from[cursor++] as number };
      return value;
    }
    case STRING: {
      const length = from[cursor++] as number;
      let text = '';
      for (let i = 0; i < length; i++) text += String.fromCharCode(from[cursor++] as number);
      return text;
    }
    case LIST: {
      const length = from[cursor++] as number;
      const list: unknown[] = [];
      for (let i = 0; i < length; i++) list.push(decodeAt(from, args, keywords));
      return list;
    }
    default:
      throw new TorchError(`internal: unknown word ${tag} in the call frame`);
  }
}

/** An operator that writes in place returns the very object it was given. */
function findArgument(
  handle: number,
  args: readonly unknown[],
  keywords: Readonly<Record<string, unknown>> | undefined,
): TensorHandle | null {
  return findByHandle(args, handle) ?? findByHandle(Object.values(keywords ?? {}), handle);
}

function findByHandle(args: readonly unknown[], handle: number): TensorHandle | null {
  for (const each of args) {
    if (typeof each !== 'object' || each === null) continue;
    if (isTensorHandle(each)) {
      if (handleOf(each) === handle) return each;
    } else if (Array.isArray(each)) {
      const found = findByHandle(each, handle);
      if (found !== null) return found;
    }
  }
  return null;
}
