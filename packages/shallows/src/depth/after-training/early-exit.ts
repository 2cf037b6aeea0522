import { didYouMean, ShallowsError, shown } from '../../errors.js';
import { evaluation, type Pass, passSlot } from '../../nn/pass.js';
import { findSites, type ModuleTree } from '../policy/find-sites.js';

/** @internal Where a pass carries the names of the sites whose branch it leaves out. */
export const skipSlot = passSlot<ReadonlySet<string>>('skipped sites');

/**
 * A pass that leaves out the branches of the named sites: each of these blocks is its shortcut, `activation(shortcut(x))` or
 * `x` itself, and costs what that costs. Every other branch counts as it does without.
 *
 * Where the shortcuts are identities it evaluates, bit for bit, the network that `pruneSites` makes. What the given pass
 * leaves out already stays out.
 *
 * @param names names of `findSites`
 * @param pass an evaluation or a Monte-Carlo pass; in training a plan drops
 * @throws ShallowsError for a name that no site has, a site that cannot be dropped, or a training pass
 */
export function skipSites(model: ModuleTree, names: Iterable<string>, pass: Pass = evaluation): Pass {
  if (pass.training) {
    throw new ShallowsError(
      'skipSites: expected an evaluation or Monte-Carlo pass, got a training pass - drop in training with fixedPlan',
    );
  }
  const sites = new Map(findSites(model).map((site) => [site.name, site]));
  const skipped = new Set(skippedSites(pass));
  for (const name of names) {
    const site = sites.get(name);
    if (site === undefined) {
      const hint = didYouMean(name, [...sites.keys()]);
      throw new ShallowsError(
        `skipSites: expected the name of a site, got ${shown(name)}${hint} - use a name of findSites`,
      );
    }
    if (!site.droppable) {
      throw new ShallowsError(
        `skipSites: expected sites with a shortcut, got '${name}', which has none - leave it out`,
      );
    }
    skipped.add(name);
  }
  return pass.with(skipSlot, skipped);
}

/** The names of the sites whose branches a pass leaves out. */
export function skippedSites(pass: Pass): ReadonlySet<string> {
  return new Set(pass.get(skipSlot));
}

/**
 * A pass that runs the branches of the first `count` sites alone, in forward order: the layers after them are their
 * shortcuts, and what follows the blocks runs as ever (early exit, Elhoushi et al., "LayerSkip", ACL 2024).
 *
 * @param count sites that run, from 0 to all; sites that cannot be dropped always run and are not counted
 * @throws ShallowsError for another count, or a training pass
 */
export function earlyExit(model: ModuleTree, count: number, pass: Pass = evaluation): Pass {
  const names = skippable(model);
  if (!(Number.isSafeInteger(count) && count >= 0 && count <= names.length)) {
    throw new ShallowsError(
      `earlyExit: expected a number of sites from 0 to ${names.length}, got ${shown(count)} - count the sites that run`,
    );
  }
  return skipSites(model, names.slice(count), pass);
}

/** What an early exit gives. */
export interface ExitPoint<T> {
  /** Sites whose branch ran. */
  readonly active: number;
  readonly value: T;
}

/**
 * Evaluates a model at several exits: `exitCurve(model, (pass) => loss(model.forward(x, pass)))`.
 *
 * @param evaluate is given a pass of `earlyExit`; its result is the point's value
 * @param counts the exits, in the order of the points; every one from 0 sites to all by default
 * @throws as `earlyExit`, before anything is evaluated
 */
export function exitCurve<T>(
  model: ModuleTree,
  evaluate: (pass: Pass) => T,
  counts: readonly number[] = Array.from({ length: skippable(model).length + 1 }, (_, i) => i),
): readonly ExitPoint<T>[] {
  const passes = counts.map((active) => [active, earlyExit(model, active)] as const);
  return passes.map(([active, pass]) => ({ active, value: evaluate(pass) }));
}

function skippable(model: ModuleTree): string[] {
  return findSites(model)
    .filter(({ droppable }) => droppable)
    .map(({ name }) => name);
}
