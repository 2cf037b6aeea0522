import { ShallowsError } from '../../errors.js';
import type { StateDict } from '../../nn/state-dict.js';
import {
  type PlacedBlock,
  placedBlocks,
  quoted,
  type RemovableBlock,
  removableBlocks,
  type StatefulTree,
} from './prune-blocks.js';

/** The state of a model without some of its blocks. */
export interface PrunedState {
  /** The tensors that stay, by their new keys: the model's own, not copies. */
  readonly state: StateDict;
  /** Keys that are gone. */
  readonly removed: readonly string[];
  /** New keys by the old ones, where they differ: `layer1.2.conv1.weight` → `layer1.1.conv1.weight`. */
  readonly renamed: Readonly<Record<string, string>>;
}

/**
 * The state of a model without the named blocks, blocks of one list numbered anew; the model stays as it is.
 *
 * It fits a model of which `pruneSites` took the same blocks out, and one that was built with fewer blocks, where those of
 * a list differ in nothing but their tensors (in Swin every second one shifts its windows).
 *
 * @param names names of blocks, or of all sites of a block
 * @throws ShallowsError for a name that is not there, part of a block, a block that is not its input without its branches,
 *   or one that shares tensors with what stays
 * @see fairseq's `prune_state_dict` (Fan et al., "Reducing transformer depth on demand with structured dropout", ICLR 2020)
 */
export function prunedStateDict(model: StatefulTree, names: readonly string[]): PrunedState {
  const fn = 'prunedStateDict';
  return stateWithout(fn, model, removableBlocks(fn, placedBlocks(model), names));
}

/** @internal As `prunedStateDict`, of blocks that were checked. */
export function stateWithout(fn: string, model: StatefulTree, blocks: readonly RemovableBlock[]): PrunedState {
  const gone = new Map<string, Set<number>>();
  for (const { at } of blocks) gone.set(at.path, (gone.get(at.path) ?? new Set()).add(at.place));
  const before = model.stateDict();
  const state: StateDict = {};
  const removed: string[] = [];
  const renamed: Record<string, string> = {};
  for (const [key, tensor] of Object.entries(before)) {
    const next = renumbered(key, gone);
    if (next === null) removed.push(key);
    else state[next] = tensor;
    if (next !== null && next !== key) renamed[key] = next;
  }
  requireUnshared(fn, blocks, before, removed, state);
  return { state, removed, renamed };
}

/** A key with its places counted anew; null where it is in a block that is gone. */
function renumbered(key: string, gone: ReadonlyMap<string, ReadonlySet<number>>): string | null {
  const parts = key.split('.');
  const next = [...parts];
  for (const i of parts.keys()) {
    const places = gone.get(parts.slice(0, i).join('.'));
    const place = Number(parts[i]);
    if (places === undefined || !Number.isSafeInteger(place)) continue;
    if (places.has(place)) return null;
    next[i] = String(place - [...places].filter((each) => each < place).length);
  }
  return next.join('.');
}

function requireUnshared(
  fn: string,
  blocks: readonly PlacedBlock[],
  before: Readonly<StateDict>,
  removed: readonly string[],
  state: Readonly<StateDict>,
): void {
  const staying = new Set(Object.values(state));
  const shared = removed.filter((key) => staying.has(before[key] as (typeof state)[string]));
  if (shared.length === 0) return;
  const names = blocks.map(({ name }) => name).filter((name) => shared.some((key) => key.startsWith(`${name}.`)));
  throw new ShallowsError(
    `${fn}: expected blocks with tensors of their own, got ${quoted(names)}, whose tensors others use too - leave them in`,
  );
}
