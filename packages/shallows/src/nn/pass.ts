import type { Key } from '../random/key.js';
import { CallCounts } from './call-counts.js';

/** What a forward pass is for. Only `training` and `monte-carlo` may be random. */
export type PassMode = 'evaluation' | 'training' | 'monte-carlo';

/**
 * What a forward pass is told: its mode, its key, and what other layers hang on it. Immutable; an argument of every
 * `forward(x, pass = evaluation)`, so no model can be left in the wrong mode.
 */
export interface Pass {
  readonly mode: PassMode;
  /** `mode === 'training'`. */
  readonly training: boolean;
  /** The key that every draw of this pass derives from; `null` where the pass draws nothing. */
  readonly key: Key | null;
  /** What is attached under a slot, or `undefined`. */
  get<T>(slot: PassSlot<T>): T | undefined;
  /** A pass like this one with a value attached; this one stays as it is. */
  with<T>(slot: PassSlot<T>, value: T): Pass;
}

/**
 * A typed place on a pass. Two slots are different places even when they share a name.
 */
export interface PassSlot<T> {
  readonly name: string;
  /** Carries the type; never set. */
  readonly type?: T;
}

/** A new slot; the name is for messages. */
export function passSlot<T>(name: string): PassSlot<T> {
  return Object.freeze({ name });
}

/** Where a pass counts the calls of the places that draw; none in evaluation. */
export const callsSlot = passSlot<CallCounts>('calls');

/** The pass of plain, deterministic evaluation: the default of every `forward`. */
export const evaluation: Pass = createPass('evaluation', null, new Map());

/**
 * A pass that trains: batch statistics are used and updated, branches and units may drop. Make one for each forward pass:
 * what a second one through the same pass draws is other than in the first.
 */
export function trainingPass({ key = null }: { readonly key?: Key | null } = {}): Pass {
  return createPass('training', key, new Map()).with(callsSlot, new CallCounts());
}

/**
 * A pass that evaluates but keeps the model's randomness: one sample of a Monte-Carlo prediction, or one for each row with
 * `rowKeysSlot`. Make one for each forward pass.
 */
export function monteCarloPass({ key }: { readonly key: Key }): Pass {
  return createPass('monte-carlo', key, new Map()).with(callsSlot, new CallCounts());
}

function createPass(mode: PassMode, key: Key | null, slots: ReadonlyMap<PassSlot<unknown>, unknown>): Pass {
  return Object.freeze({
    mode,
    training: mode === 'training',
    key,
    // `with` is the only writer and takes slot and value of one type, which the map cannot express.
    get: <T>(slot: PassSlot<T>): T | undefined => slots.get(slot) as T | undefined,
    with: <T>(slot: PassSlot<T>, value: T): Pass => createPass(mode, key, new Map(slots).set(slot, value)),
  });
}
