import { native } from './native.js';

/** Reads the native handle of a tensor; 0 once it is disposed. */
export let handleOf: (tensor: TensorHandle) => number;
/** Whether a value is a tensor of this package, whatever its prototype says. */
export let isTensorHandle: (value: object) => value is TensorHandle;
/** Takes the handle out of a tensor without releasing it: the caller does that. */
let takeHandle: (tensor: TensorHandle) => number;
let ownerOf: (tensor: TensorHandle) => Scope | null;
let setOwner: (tensor: TensorHandle, owner: Scope | null) => void;

/** One running scope: it will free the members from `start` on, up to where the scope within it starts. */
interface Scope {
  readonly start: number;
  readonly parent: Scope | null;
}

let current: Scope | null = null;
/** Of all running scopes, the innermost last; nothing from `end` on. */
const members: (TensorHandle | null)[] = [];
let end = 0;

/** What a JavaScript object that stands for a tensor owns: one reference to it on the native side. */
export class TensorHandle {
  #handle: number;
  #owner: Scope | null = null;
  #outsideBytes = 0;

  static {
    handleOf = (tensor) => tensor.#handle;
    isTensorHandle = (value): value is TensorHandle => #handle in value;
    takeHandle = (tensor) => {
      const handle = tensor.#handle;
      tensor.#handle = 0;
      return handle;
    };
    ownerOf = (tensor) => tensor.#owner;
    setOwner = (tensor, owner) => {
      tensor.#owner = owner;
      if (owner === null) tensor.#outsideBytes = watch(tensor, tensor.#handle);
    };
  }

  /** @param from a handle of the native side, or a tensor to share: both objects then own a reference of their own. */
  constructor(from: number | TensorHandle) {
    const handle = typeof from === 'number' ? from : native().alias(from.#handle);
    this.#handle = handle;
    if (current === null) this.#outsideBytes = watch(this, handle);
    else {
      this.#owner = current;
      members[end++] = this;
    }
  }

  /** Whether the tensor was freed. Using it then is an error. */
  get disposed(): boolean {
    return this.#handle === 0;
  }

  /** Frees the tensor now. Freeing twice is allowed. What others hold of it (views, the autograd graph) lives on. */
  dispose(): void {
    if (this.#handle === 0) return;
    native().dispose(takeHandle(this));
    if (this.#outsideBytes > 0) reportBytes(-this.#outsideBytes);
    this.#outsideBytes = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

// The net below the scopes: tensors that live outside any are freed some time after JavaScript forgets them, and the
// garbage collector is told of their bytes in steps: it works a little at each, and starts at 64 MB.
const registry = new FinalizationRegistry<{ handle: number; bytes: number }>(({ handle, bytes }) => {
  if (native().dispose(handle)) reportBytes(-bytes);
});
const reportStep = 32 * 1024 * 1024;
let unreported = 0;

function watch(tensor: TensorHandle, handle: number): number {
  const bytes = native().storageBytes(handle);
  registry.register(tensor, { handle, bytes });
  reportBytes(bytes);
  return bytes;
}

function reportBytes(change: number): void {
  unreported += change;
  if (Math.abs(unreported) < reportStep) return;
  native().adjustMemory(unreported);
  unreported = 0;
}

/** Starts a scope; {@link leaveScope} must follow. */
export function enterScope(): void {
  current = { start: end, parent: current };
}

/** Ends the innermost scope: frees its tensors in one native call, but for `kept`, which move to the scope around it. */
export function leaveScope(kept: ReadonlySet<TensorHandle> | null, words: (length: number) => Float64Array): void {
  const scope = current;
  if (scope === null) return;
  const { start, parent } = scope;
  current = parent;
  if (end === start) return;
  const made = end - start;
  const frame = words(made);
  const base = frame.length - made;
  let count = 0;
  end = start;
  for (let i = start; i < start + made; i++) {
    const tensor = members[i] as TensorHandle;
    members[i] = null;
    if (ownerOf(tensor) !== scope || handleOf(tensor) === 0) continue;
    if (kept?.has(tensor)) {
      setOwner(tensor, parent);
      if (parent !== null) members[end++] = tensor;
    } else {
      frame[base + count++] = takeHandle(tensor);
    }
  }
  if (count > 0) native().disposeFrame(base, count);
}

/** Takes a tensor out of every scope: it then lives until it is disposed or forgotten. */
export function release(tensor: TensorHandle): void {
  if (ownerOf(tensor) !== null) setOwner(tensor, null);
}
