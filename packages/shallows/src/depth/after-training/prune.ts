import { ShallowsError, shown } from '../../errors.js';
import { Sequential } from '../../nn/sequential.js';
import { findSites } from '../policy/find-sites.js';
import {
  isRemovable,
  type PlacedBlock,
  placedBlocks,
  quoted,
  type RemovableBlock,
  removableBlocks,
  type StatefulTree,
} from './prune-blocks.js';
import { type PrunedState, stateWithout } from './prune-state.js';
import type { SiteScores } from './score.js';

/** Which blocks go: the named ones, or as many as leave a share of all blocks, those that matter least first. */
export type Pruning =
  /** Names of blocks, or of all sites of a block. */
  | { readonly drop: readonly string[] }
  | {
      /** Share of the model's residual blocks that stays, in [0, 1]; the number of them is rounded. */
      readonly keepFraction: number;
      /**
       * `rate` (default): the highest drop rates go first, as training has done without these most often; of equal rates,
       * evenly spread blocks. Scores: the smallest increases of the loss go first.
       */
      readonly by?: 'rate' | SiteScores;
    };

/** What was taken out of a model. */
export interface PrunedModel extends Omit<PrunedState, 'state'> {
  /** Names of the blocks, as they were. */
  readonly blocks: readonly string[];
  /** Names of their sites, as they were. */
  readonly sites: readonly string[];
}

/**
 * The sites of the blocks that a pruning takes out, in forward order; the model stays as it is. The pass
 * `skipSites(model, names)` then evaluates the smaller network, bit for bit.
 *
 * @throws as `pruneSites`
 */
export function sitesToPrune(model: StatefulTree, pruning: Pruning): readonly string[] {
  return choose('sitesToPrune', model, pruning).flatMap(({ sites }) => sites.map(({ name }) => name));
}

/**
 * Takes whole residual blocks out of a model: it becomes the smaller network that skipping their branches evaluates, bit
 * for bit.
 *
 * Blocks that stay keep their tensors and move up in their list, so that keys and sites have the names of a model with
 * fewer blocks: without `layer1.1`, `layer1.2` becomes `layer1.1`. The tensors of what goes are freed. Before further
 * training, apply a policy again and make a new optimizer.
 *
 * @throws ShallowsError for a name that is not there, part of a block, a block that is not its input without its branches
 *   (a shortcut that projects, a norm outside of the branch) or is in no list, tensors that others use too, a fraction out
 *   of range or that leaves fewer blocks than cannot be removed, or no rates or scores to choose by. Nothing is changed
 *   then
 * @see Fan et al., "Reducing transformer depth on demand with structured dropout", ICLR 2020
 */
export function pruneSites(model: StatefulTree, pruning: Pruning): PrunedModel {
  const blocks = choose('pruneSites', model, pruning);
  const { removed, renamed } = stateWithout('pruneSites', model, blocks);
  const frozen = blocks.filter(({ at }) => Object.isFrozen(at.list));
  if (frozen.length > 0) {
    const names = quoted(frozen.map(({ name }) => name));
    throw new ShallowsError(
      `pruneSites: expected lists that can change, got a frozen one around ${names} - do not freeze it`,
    );
  }
  const names = {
    blocks: blocks.map(({ name }) => name),
    sites: blocks.flatMap(({ sites }) => sites.map((s) => s.name)),
  };
  // The last of a list first, so that the places of the others hold.
  for (const { at } of [...blocks].sort((a, b) => b.at.place - a.at.place)) {
    if (at.list instanceof Sequential) at.list.remove(at.place);
    else at.list.splice(at.place, 1);
    at.module.dispose();
  }
  findSites(model);
  return { ...names, removed, renamed };
}

function choose(fn: string, model: StatefulTree, pruning: Pruning): readonly RemovableBlock[] {
  const blocks = placedBlocks(model);
  if ('drop' in pruning) return removableBlocks(fn, blocks, pruning.drop);
  const { keepFraction, by = 'rate' } = pruning;
  if (!(keepFraction >= 0 && keepFraction <= 1)) {
    throw new ShallowsError(
      `${fn}: expected a keepFraction in [0, 1], got ${shown(keepFraction)} - give the share of blocks that stays`,
    );
  }
  const removable = blocks.filter(isRemovable);
  const count = blocks.length - Math.round(keepFraction * blocks.length);
  if (count > removable.length) {
    const fixed = blocks.filter((block) => !isRemovable(block)).map(({ name }) => name);
    throw new ShallowsError(
      `${fn}: expected a keepFraction of ${fixed.length} / ${blocks.length} or more, as ${quoted(fixed)} cannot be removed, ` +
        `got ${keepFraction} - keep more`,
    );
  }
  if (count === 0) return [];
  const worth = by === 'rate' ? byRate(fn, blocks) : byScore(fn, by);
  const chosen = new Set(least(removable, worth, count));
  return removable.filter((block) => chosen.has(block));
}

/** The `count` blocks of least worth; among equals, evenly spread ones. */
function least<T>(blocks: readonly T[], worth: (block: T) => number, count: number): readonly T[] {
  const worths = blocks.map(worth);
  const chosen: T[] = [];
  for (const level of [...new Set(worths)].sort((a, b) => a - b)) {
    const equals = blocks.filter((_, i) => worths[i] === level);
    const free = Math.min(count - chosen.length, equals.length);
    chosen.push(
      ...equals.filter((_, i) => Math.floor(((i + 1) * free) / equals.length) > Math.floor((i * free) / equals.length)),
    );
  }
  return chosen;
}

function byRate(fn: string, blocks: readonly PlacedBlock[]): (block: PlacedBlock) => number {
  if (blocks.some(({ sites }) => sites.some(({ drop }) => drop > 0))) {
    return ({ sites }) => -sites.reduce((sum, { drop }) => sum + drop, 0) / sites.length;
  }
  throw new ShallowsError(
    `${fn}: expected drop rates to choose by, got a model without any - apply the policy it was trained with, or choose by scoreSites`,
  );
}

/** A block's score where it has one, else the sum of its sites'. */
function byScore(fn: string, { scores }: SiteScores): (block: PlacedBlock) => number {
  const known = new Map(scores.map(({ name, increase }) => [name, increase]));
  return ({ name, sites }) => {
    const parts = known.has(name) ? [known.get(name)] : sites.map((site) => known.get(site.name));
    const total = parts.reduce<number>((sum, each) => sum + (each ?? Number.NaN), 0);
    if (!Number.isNaN(total)) return total;
    throw new ShallowsError(
      `${fn}: expected a score for the block '${name}', got none - score this model with scoreSites`,
    );
  };
}
