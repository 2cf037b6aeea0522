import { TorchError } from '../errors.js';
import { native } from '../native.js';

/** What {@link NativeDistributed.connect} is told. */
export interface ConnectOptions {
  readonly rank: number;
  readonly size: number;
  readonly host: string;
  readonly port: number;
  readonly outside: boolean;
  readonly timeoutMs: number;
  readonly address: string;
  readonly prefix: string;
  readonly backend: string;
}

/** The part of the addon that is there where libtorch was built with process groups. Groups, works and reducers are handles. */
export interface NativeDistributed {
  backends(): string[];
  connect(options: ConnectOptions): Promise<number>;
  newGroup(group: number, name: string, backend: string): Promise<number>;
  groupId(group: number): number;
  allReduce(group: number, tensors: Float64Array, reduction: number): number;
  broadcast(group: number, tensors: Float64Array, root: number): number;
  allGather(group: number, outputs: Float64Array, input: number): number;
  reduceScatter(group: number, output: number, inputs: Float64Array, reduction: number): number;
  barrier(group: number): number;
  whenDone(work: number): Promise<void>;
  waitSync(work: number): void;
  isDone(work: number): boolean;
  forget(work: number): boolean;
  abort(group: number, reason: string): Promise<void>;
  close(group: number, goodbye: boolean): Promise<void>;
  reducer(
    group: number,
    parameters: Float64Array,
    names: readonly string[],
    bucketBytes: number,
    firstBucketBytes: number,
  ): number;
  beginStep(reducer: number, expected: Uint8Array): void;
  finishStep(reducer: number): void;
  reduced(reducer: number): Float64Array;
  disposeReducer(reducer: number): boolean;
}

/** The addon's process groups. Throws where libtorch has none. */
export function nativeDistributed(fn: string): NativeDistributed {
  const { distributed, version } = native();
  if (distributed !== undefined) return distributed;
  throw new TorchError(
    `${fn}: expected a libtorch with process groups, got ${version().libtorch}, built without - take the tested one with \`SHALLOWS_LIBTORCH=pip npx shallows setup --force\``,
  );
}
