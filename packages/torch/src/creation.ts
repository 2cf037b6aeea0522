import { type Device, type DType, dtypeOf, elementSize, type TypedArray } from './dtype.js';
import { TorchError } from './errors.js';
import { freeWords, mark } from './frame.js';
import type { Generator } from './generator.js';
import { native } from './native.js';
import { Operator } from './operator.js';
import { attempt, Tensor } from './tensor.js';

/** Options of every constructor. */
export interface TensorOptions {
  /** float32 unless said otherwise. */
  readonly dtype?: DType;
  /** cpu unless said otherwise. */
  readonly device?: Device;
  readonly requiresGrad?: boolean;
}

/** Options of the random constructors. */
export interface RandomOptions extends TensorOptions {
  /** Where the numbers come from; libtorch's default generator without it. */
  readonly generator?: Generator;
}

/** Nested arrays of equal lengths. */
export type NestedArray<T> = readonly (T | NestedArray<T>)[];
/** Elements of a tensor. */
export type Element = number | bigint | boolean;

/** Sizes of the dimensions; one number for one dimension. */
export type Shape = readonly number[] | number;

const maxDimensions = 64;

function checkedShape(name: string, shape: Shape): number[] {
  const listed = typeof shape === 'number' ? [shape] : shape;
  if (!Array.isArray(listed) || listed.length > maxDimensions) {
    const got = Array.isArray(listed) ? `an array of length ${listed.length}` : `a ${typeof listed}`;
    throw new TorchError(`${name}: expected a size or an array of at most ${maxDimensions} sizes, got ${got}`);
  }
  const sizes: number[] = [...listed];
  for (const size of sizes) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new TorchError(
        `${name}: expected sizes that are whole numbers from 0, got [${sizes.map(String).join(', ')}]`,
      );
    }
  }
  return sizes;
}

function finish(value: unknown, { requiresGrad = false }: TensorOptions): Tensor {
  const result = value as Tensor;
  if (requiresGrad) result.requiresGrad = true;
  return result;
}

const asKeywords = ({ dtype = 'float32', device = 'cpu' }: TensorOptions): { dtype: DType; device: Device } => ({
  dtype,
  device,
});

/**
 * A tensor with a copy of the elements of a typed array, its dtype taken from the array.
 *
 * @param shape sizes whose product is the array's length
 */
export function fromTypedArray(array: TypedArray, shape: Shape = [array.length], options: TensorOptions = {}): Tensor {
  const source = ArrayBuffer.isView(array) ? dtypeOf(array) : undefined;
  if (source === undefined)
    throw new TorchError(`fromTypedArray: expected a typed array that a dtype has, got ${typeof array}`);
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return finish(converted(fromBytes(bytes, source, shape), options), options);
}

/** A tensor on the CPU with a copy of raw little-endian bytes in row-major order. */
export function fromBytes(bytes: Uint8Array, dtype: DType, shape: Shape): Tensor {
  const sizes = checkedShape('fromBytes', shape);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count * elementSize[dtype] !== bytes.byteLength) {
    const given = bytes.byteLength / elementSize[dtype];
    throw new TorchError(`tensor: expected ${count} elements for shape [${sizes.join(', ')}], got ${given}`);
  }
  const frame = freeWords(sizes.length);
  const base = mark();
  for (const [i, size] of sizes.entries()) frame[base + i] = size;
  return new Tensor(attempt(() => native().fromBytes(bytes, dtype, base, sizes.length)));
}

function converted(tensor: Tensor, { dtype, device }: TensorOptions): Tensor {
  if ((dtype === undefined || dtype === tensor.dtype) && (device === undefined || device === 'cpu')) return tensor;
  try {
    return tensor.to({ ...(dtype === undefined ? {} : { dtype }), ...(device === undefined ? {} : { device }) });
  } finally {
    tensor.dispose();
  }
}

/**
 * A tensor from a number, nested arrays or a typed array. Numbers become float32, bigints int64, booleans bool, typed
 * arrays their own dtype, unless `dtype` says otherwise.
 */
export function tensor(
  data: Element | NestedArray<Element> | TypedArray,
  { shape, ...options }: TensorOptions & { readonly shape?: Shape } = {},
): Tensor {
  if (ArrayBuffer.isView(data)) return fromTypedArray(data as TypedArray, shape ?? [data.length], options);
  const flat: Element[] = [];
  const found = flatten(data, flat, []);
  const first = flat[0];
  const array =
    typeof first === 'bigint'
      ? BigInt64Array.from(flat, (each) => BigInt(each))
      : typeof first === 'boolean'
        ? Uint8Array.from(flat, Number)
        : Float64Array.from(flat, Number);
  const dtype =
    options.dtype ?? (typeof first === 'bigint' ? 'int64' : typeof first === 'boolean' ? 'bool' : 'float32');
  return fromTypedArray(array, shape ?? found, { ...options, dtype });
}

function flatten(data: unknown, into: Element[], path: readonly number[]): number[] {
  if (typeof data === 'number' || typeof data === 'bigint' || typeof data === 'boolean') {
    if (into.length > 0 && typeof into[0] !== typeof data) {
      throw new TorchError(`tensor: expected elements of one type, got a ${typeof into[0]} and a ${typeof data}`);
    }
    into.push(data);
    return [];
  }
  const where = path.length === 0 ? '' : ` at [${path.join('][')}]`;
  if (!Array.isArray(data)) {
    throw new TorchError(
      `tensor: expected numbers, bigints, booleans or nested arrays of them, got ${typeof data}${where}`,
    );
  }
  if (path.length >= maxDimensions)
    throw new TorchError(`tensor: expected at most ${maxDimensions} dimensions, got more`);
  let inner: number[] | undefined;
  for (let i = 0; i < data.length; i++) {
    const shape = flatten(data[i], into, [...path, i]);
    if (inner !== undefined && inner.join() !== shape.join()) {
      throw new TorchError(
        `tensor: expected rows of one shape, got [${inner.join(', ')}] and [${shape.join(', ')}]${where}`,
      );
    }
    inner = shape;
  }
  return [data.length, ...(inner ?? [])];
}

const empties = new Operator('aten::empty', 'memory_format');
const zerosOp = new Operator('aten::zeros');
const onesOp = new Operator('aten::ones');
const fullOp = new Operator('aten::full');
const arangeOp = new Operator('aten::arange', 'start_step');
const randOp = { plain: new Operator('aten::rand'), generator: new Operator('aten::rand', 'generator') };
const randnOp = { plain: new Operator('aten::randn'), generator: new Operator('aten::randn', 'generator') };
const eyeOp = new Operator('aten::eye');
const linspaceOp = new Operator('aten::linspace');

/** A tensor whose elements are not set. */
export function empty(shape: Shape, options: TensorOptions = {}): Tensor {
  return finish(empties.call([checkedShape('empty', shape)], asKeywords(options)), options);
}

/** A tensor of zeros. */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return finish(zerosOp.call([checkedShape('zeros', shape)], asKeywords(options)), options);
}

/** A tensor of ones. */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return finish(onesOp.call([checkedShape('ones', shape)], asKeywords(options)), options);
}

/** A tensor with one value everywhere. */
export function full(shape: Shape, value: number | boolean, options: TensorOptions = {}): Tensor {
  return finish(fullOp.call([checkedShape('full', shape), value], asKeywords(options)), options);
}

/** The numbers from `start` (0) up to but not including `end`, `step` apart; int64 where all are whole. */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step?: number, options?: TensorOptions): Tensor;
export function arange(first: number, second?: number | TensorOptions, step = 1, options: TensorOptions = {}): Tensor {
  const short = typeof second !== 'number';
  const [start, end, given] = short ? [0, first, second ?? {}] : [first, second, options];
  const whole = [start, end, step].every(Number.isInteger);
  const { dtype = whole ? 'int64' : 'float32' } = given;
  return finish(arangeOp.call([start, end, step], asKeywords({ ...given, dtype })), given);
}

/** `steps` numbers from `start` to `end`, both included, evenly apart. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  return finish(linspaceOp.call([start, end, steps], asKeywords(options)), options);
}

/** The identity matrix of n rows. */
export function eye(n: number, options: TensorOptions = {}): Tensor {
  return finish(eyeOp.call([n], asKeywords(options)), options);
}

function random(op: typeof randOp, name: string, shape: Shape, { generator, ...options }: RandomOptions): Tensor {
  const sizes = checkedShape(name, shape);
  const keywords = asKeywords(options);
  if (generator === undefined) return finish(op.plain.call([sizes], keywords), options);
  return finish(op.generator.call([sizes], { ...keywords, generator }), options);
}

/** Numbers drawn evenly from [0, 1). */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  return random(randOp, 'rand', shape, options);
}

/** Numbers drawn from the standard normal distribution. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  return random(randnOp, 'randn', shape, options);
}
