import { type Device, type DType, elementSize, type TypedArray, typedArrayOf } from './dtype.js';
import { TorchError, toTorchError } from './errors.js';
import { freeWords, mark, setTensorClass } from './frame.js';
import { handleOf, isTensorHandle, TensorHandle } from './handle.js';
import { native } from './native.js';
import { Operator } from './operator.js';

const item = new Operator('aten::item');
const toDType = new Operator('aten::to', 'dtype');
const toDevice = new Operator('aten::to', 'dtype_layout');
const detach = new Operator('aten::detach');

/**
 * An n-dimensional array of libtorch, with PyTorch's words.
 *
 * The object owns one reference to the native tensor: `scope`, `using` or `dispose()` free it.
 * Operators are methods in camelCase; the options object comes last: `x.sum([1], { keepdim: true })`.
 */
export class Tensor extends TensorHandle {
  /** Sizes of the dimensions. */
  get shape(): readonly number[] {
    return this.#integers((handle, base) => native().sizes(handle, base));
  }

  /** Elements to step over for the next index of each dimension. */
  get strides(): readonly number[] {
    return this.#integers((handle, base) => native().strides(handle, base));
  }

  get dtype(): DType {
    return native().dtype(live(this)) as DType;
  }

  get device(): Device {
    return native().device(live(this));
  }

  /** The number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }

  /** The number of elements. */
  get numel(): number {
    return native().numel(live(this));
  }

  /** Whether operators on this tensor are recorded for the backward pass. Only leaves can be changed. */
  get requiresGrad(): boolean {
    return native().requiresGrad(live(this));
  }

  set requiresGrad(value: boolean) {
    attempt(() => native().setRequiresGrad(live(this), value === true));
  }

  /** Sets `requiresGrad` and returns the tensor itself. */
  requiresGrad_(value = true): this {
    this.requiresGrad = value;
    return this;
  }

  /** Whether the tensor was made by the user rather than by an operator that autograd recorded. */
  get isLeaf(): boolean {
    return native().isLeaf(live(this));
  }

  /** The gradient that `backward()` accumulated; each read makes a tensor that shares its memory. */
  get grad(): Tensor | null {
    const handle = native().gradOf(live(this));
    return handle === 0 ? null : new Tensor(handle);
  }

  set grad(value: Tensor | null) {
    attempt(() => native().setGrad(live(this), value === null ? 0 : live(value)));
  }

  /** Whether the elements lie in row-major order (or channels-last order) without holes. */
  isContiguous({ memoryFormat = 'contiguous' }: { memoryFormat?: 'contiguous' | 'channels_last' } = {}): boolean {
    return native().isContiguous(live(this), memoryFormat === 'channels_last');
  }

  /** The only element as a number, true as 1. Waits for the device. Throws where a double cannot hold it exactly. */
  item(): number {
    const value = item.call([this]);
    if (typeof value === 'number' || typeof value === 'boolean') return Number(value);
    throw new TorchError(
      `item: expected a value that a JavaScript number holds, got a ${this.dtype} one - use toArray()`,
    );
  }

  /**
   * A copy of the elements in row-major order. float16 and bfloat16 come as float32, bool as 0 and 1, int64 as bigints,
   * complex as pairs (real, imaginary).
   */
  toArray(): TypedArray {
    const { dtype } = this;
    if (dtype === 'float16' || dtype === 'bfloat16') {
      const wide = toDType.call([this, 'float32']) as Tensor;
      try {
        return wide.toArray();
      } finally {
        wide.dispose();
      }
    }
    if (!(dtype in elementSize)) throw new TorchError(`toArray: expected a dtype with a JavaScript form, got ${dtype}`);
    return typedArrayOf(
      dtype,
      attempt(() => native().toBytes(live(this))),
    );
  }

  /** A copy of the elements' bytes in row-major order, little-endian. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(attempt(() => native().toBytes(live(this))));
  }

  /** A tensor that shares the memory but not the history. */
  detach(): Tensor {
    return detach.call([this]) as Tensor;
  }

  /** The same values in another dtype, on another device, or both; the tensor itself where nothing changes. */
  to(
    target: DType | Device | { dtype?: DType; device?: Device; nonBlocking?: boolean; memoryFormat?: string },
  ): Tensor {
    if (typeof target === 'string') {
      if (target in elementSize) return toDType.call([this, target]) as Tensor;
      return toDevice.call([this], { device: target }) as Tensor;
    }
    return toDevice.call([this], target) as Tensor;
  }

  /** Computes the gradients of this tensor with respect to the leaves it came from, and adds them to their `grad`. */
  backward(
    gradient: Tensor | null = null,
    { retainGraph = false, createGraph = false }: { retainGraph?: boolean; createGraph?: boolean } = {},
  ): void {
    const gradients = Float64Array.of(gradient === null ? 0 : live(gradient));
    attempt(() => native().backward(Float64Array.of(live(this)), gradients, retainGraph || createGraph, createGraph));
  }

  #integers(read: (handle: number, base: number) => number): readonly number[] {
    const handle = live(this);
    const frame = freeWords(64);
    const base = mark();
    const count = read(handle, base);
    const result: number[] = [];
    for (let i = 0; i < count; i++) result.push(frame[base + i] as number);
    return result;
  }
}

setTensorClass((handle) => new Tensor(handle));

/** Whether a value is a tensor. */
export function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && isTensorHandle(value);
}

/** The handle of a tensor that must not be disposed. */
export function live(tensor: TensorHandle): number {
  const handle = isTensor(tensor) ? handleOf(tensor) : Number.NaN;
  if (handle > 0) return handle;
  const got = handle === 0 ? 'one that was disposed' : `a ${typeof tensor}`;
  const advice = handle === 0 ? ' - return it from scope(() => …), or keep(tensor)' : '';
  throw new TorchError(`torch: expected a live tensor, got ${got}${advice}`);
}

/** Runs native code; what it throws becomes a {@link TorchError}. */
export function attempt<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw toTorchError(error);
  }
}
