import { noGrad, scope, type Tensor, zeros } from '@shallows/torch';
import { didYouMean, ShallowsError, shown } from '../../errors.js';
import { Module } from '../../nn/module.js';
import { evaluation } from '../../nn/pass.js';
import { Sequential } from '../../nn/sequential.js';
import type { StateDict } from '../../nn/state-dict.js';
import { placesIn } from '../../nn/tree.js';
import { findSites, type ModuleTree } from '../policy/find-sites.js';
import type { Site } from '../policy/site.js';
import { skipSlot } from './early-exit.js';

/** What pruning needs of a model: its modules, and its tensors by key. */
export interface StatefulTree extends ModuleTree {
  stateDict(): StateDict;
}

/** What blocks are held in: each has its place as its name. */
export type BlockList = Sequential | unknown[];

/** A residual block as pruning sees it: one element of a list of modules, with all sites in it. */
export interface PlacedBlock {
  /** Its path, `layer1.0`; the site's name where it is in no list. */
  readonly name: string;
  /** In forward order. */
  readonly sites: readonly Site[];
  /** Where it is; null where it is in no list. */
  readonly at: {
    readonly list: BlockList;
    readonly path: string;
    readonly place: number;
    readonly module: Module;
  } | null;
}

/** The residual blocks of a model, in forward order; sites of one list element are one block. */
export function placedBlocks(model: ModuleTree): readonly PlacedBlock[] {
  const sites = findSites(model);
  const holders = new Map<string, object>();
  for (const [path, holder] of placesIn(model, '', (value) => value instanceof Module)) {
    if (!holders.has(path)) holders.set(path, holder);
  }
  const blocks = new Map<string, { at: PlacedBlock['at']; sites: Site[] }>();
  for (const site of sites) {
    const { name, at } = elementOf(site.name, holders);
    const block = blocks.get(name) ?? { at, sites: [] };
    block.sites.push(site);
    blocks.set(name, block);
  }
  return Array.from(blocks, ([name, block]) => ({ name, ...block }));
}

/** The innermost module in a list that a site is in. */
function elementOf(site: string, holders: ReadonlyMap<string, object>): Pick<PlacedBlock, 'name' | 'at'> {
  const parts = site.split('.');
  for (let length = parts.length; length > 0; length--) {
    const name = parts.slice(0, length).join('.');
    const path = parts.slice(0, length - 1).join('.');
    const [module, list, place] = [holders.get(name), holders.get(path), Number(parts[length - 1])];
    if (!(module instanceof Module) || !Number.isSafeInteger(place)) continue;
    if (list instanceof Sequential || Array.isArray(list)) return { name, at: { list, path, place, module } };
  }
  return { name: site, at: null };
}

/** A block that can be taken out, as it is its input where its branches are skipped. */
export type RemovableBlock = PlacedBlock & { readonly at: NonNullable<PlacedBlock['at']> };

/**
 * Whether a block can be taken out of its list: with its branches skipped it returns its input itself. That is so where
 * every shortcut is the identity and nothing stands before or after the residuals, such as a norm.
 */
export function isRemovable(block: PlacedBlock): block is RemovableBlock {
  const { at, sites } = block;
  if (at === null || !sites.every(({ droppable }) => droppable)) return false;
  const pass = evaluation.with(skipSlot, new Set(sites.map(({ name }) => name)));
  return noGrad(() =>
    scope(() => {
      const x = zeros([1]);
      // How many inputs come before the pass is the block's own business: (x, pass), (x, mask, pass), …
      return [[pass], [null, pass], [null, null, pass]].some((rest) => returnsInput(at.module, x, rest));
    }),
  );
}

function returnsInput(module: Module, x: Tensor, rest: readonly unknown[]): boolean {
  try {
    return Reflect.apply(module.forward, module, [x, ...rest]) === x;
  } catch {
    // What runs on any input is the identity; whatever cares about its input is not.
    return false;
  }
}

/**
 * The blocks that names mean: a block by its own name or by all of its sites.
 *
 * @throws ShallowsError for a name that is not there, part of a block, or a block that cannot be removed
 */
export function removableBlocks(
  fn: string,
  blocks: readonly PlacedBlock[],
  names: readonly string[],
): readonly RemovableBlock[] {
  const known = [...new Set(blocks.flatMap(({ name, sites }) => [name, ...sites.map((site) => site.name)]))];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const hint = didYouMean(unknown, known);
    throw new ShallowsError(
      `${fn}: expected names of blocks or sites, got ${shown(unknown)}${hint} - use names of findSites`,
    );
  }
  const wanted = new Set(names);
  const meant = blocks.filter(({ name, sites }) => wanted.has(name) || sites.some((site) => wanted.has(site.name)));
  for (const { name, sites } of meant) {
    const rest = wanted.has(name) ? [] : sites.filter((site) => !wanted.has(site.name));
    if (rest.length === 0) continue;
    throw new ShallowsError(
      `${fn}: expected whole blocks, got '${name}' without ${quoted(rest.map((site) => site.name))} - ` +
        'name the block, or leave out single branches with skipSites',
    );
  }
  const fixed = meant.filter((block) => !isRemovable(block));
  if (fixed.length > 0) {
    throw new ShallowsError(
      `${fn}: expected blocks of a list that are their input without their branches, got ${quoted(fixed.map(({ name }) => name))}, ` +
        `which change it (a shortcut that projects, a norm outside of the branch) - leave ${fixed.length === 1 ? 'it' : 'them'} in`,
    );
  }
  return meant.filter(isRemovable);
}

/** `'a', 'b'` */
export function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}
