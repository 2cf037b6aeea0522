import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { NativeDistributed } from './distributed/native.js';
import { TorchError } from './errors.js';

/** One parameter of an operator, as its schema has it. */
export interface ParameterSchema {
  readonly name: string;
  readonly type: string;
  readonly keywordOnly: boolean;
  readonly hasDefault: boolean;
}

/** An operator's schema: its text as libtorch writes it, and its parameters. */
export interface OperatorSchema {
  readonly text: string;
  readonly parameters: readonly ParameterSchema[];
  readonly returns: number;
}

/** What the addon exports. Tensors and generators are handles: numbers that name a place in a table on the native side. */
export interface Native {
  call(base: number, trial?: boolean): number;
  findOperator(name: string, overload: string): number;
  operatorNames(): [string, string][];
  schema(id: number): OperatorSchema;
  frame(length: number): Float64Array;
  overflow(): Float64Array;

  sizes(handle: number, base: number): number;
  strides(handle: number, base: number): number;
  dtype(handle: number): string;
  device(handle: number): string;
  numel(handle: number): number;
  layout(handle: number): string;
  isContiguous(handle: number, channelsLast: boolean): boolean;
  isSame(a: number, b: number): boolean;
  alias(handle: number): number;
  dispose(handle: number): boolean;
  disposeFrame(base: number, count: number): void;
  fromBytes(bytes: Uint8Array, dtype: string, base: number, dimensions: number): number;
  toBytes(handle: number): ArrayBuffer;
  withMemory(handle: number, use: (bytes: ArrayBuffer) => void): boolean;
  memory(): { liveTensors: number; bytes: number };
  storageBytes(handle: number): number;
  adjustMemory(change: number): number;

  backward(outputs: Float64Array, gradients: Float64Array, retainGraph: boolean, createGraph: boolean): void;
  grad(
    outputs: Float64Array,
    inputs: Float64Array,
    gradients: Float64Array,
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): Float64Array;
  requiresGrad(handle: number): boolean;
  setRequiresGrad(handle: number, value: boolean): void;
  isLeaf(handle: number): boolean;
  gradientName(handle: number): string;
  gradOf(handle: number): number;
  gradsOf(handles: Float64Array): Float64Array;
  setGrad(handle: number, gradient: number): void;
  clearGrads(handles: Float64Array): void;
  setGradEnabled(value: boolean): boolean;
  checkpoint(
    result: number,
    inputs: Float64Array,
    parameters: Float64Array,
    again: (inputs: Float64Array) => void,
  ): number;
  recomputed(handle: number): void;

  autocastState(device: string): string;
  enterAutocast(device: string, dtype: string): { enabled: boolean; dtype: string };
  leaveAutocast(device: string, enabled: boolean, dtype: string): void;

  version(): { libtorch: string; config: string; parallel: string };
  devices(): string[];
  setAllocationLimit(bytes: number): void;
  emptyCache(): void;
  setNumThreads(count: number): void;
  getNumThreads(): number;
  setDeterministic(value: boolean): boolean;
  setFastKernels(value: boolean): boolean;
  determinism(): Record<string, boolean>;
  peakMemory(device: string): number;
  startProfile(): void;
  /** Nanoseconds. */
  stopProfile(): [name: string, calls: number, self: number, total: number][];
  manualSeed(seed: bigint): void;
  newGenerator(device: string): number;
  seedGenerator(handle: number, seed: bigint): void;
  generatorState(handle: number): number;
  setGeneratorState(handle: number, state: number): void;
  disposeGenerator(handle: number): boolean;
  takeWarnings(): string[];
  hasWarnings(): boolean;

  /** Where libtorch was built with process groups. */
  readonly distributed?: NativeDistributed;
}

let loaded: Native | undefined;

/** The addon, loaded when it is first needed: importing this package alone costs nothing. */
export function native(): Native {
  return (loaded ??= load());
}

function load(): Native {
  // The same place seen from src/ and from dist/.
  const path = fileURLToPath(new URL('../build/shallows_torch.node', import.meta.url));
  if (!existsSync(path)) {
    throw new TorchError('torch: expected the native addon to be built, found none - run `npx shallows setup`');
  }
  try {
    return createRequire(import.meta.url)(path) as Native;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TorchError(
      `torch: the native addon does not load (${reason}) - run \`npx shallows setup\` to build it again`,
    );
  }
}
