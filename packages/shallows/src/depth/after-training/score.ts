import { ShallowsError, shown } from '../../errors.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { findSites, type ModuleTree } from '../policy/find-sites.js';
import { skipSites } from './early-exit.js';
import { placedBlocks } from './prune-blocks.js';

/** What a model loses without one site, or one block. */
export interface SiteScore {
  /** Of the site or the block. */
  readonly name: string;
  /** The loss without it; infinite where that is not a number. */
  readonly loss: number;
  /** By how much that is more than the whole model's. */
  readonly increase: number;
}

/** The scores of all sites, or blocks, that can be skipped. */
export interface SiteScores {
  /** The loss of the whole model. */
  readonly loss: number;
  /** In forward order. */
  readonly scores: readonly SiteScore[];
}

/** Options of {@link scoreSites}. */
export interface ScoreOptions {
  /** What is skipped at a time: a `site`, or a `block` with all of its sites, as `pruneSites` removes it. */
  readonly unit?: 'site' | 'block';
}

/**
 * Measures how much each site matters: increase = loss without its branch − loss of the whole model. Nothing is random
 * and nothing is changed.
 *
 * It takes one evaluation more than there are sites. Each is skipped alone: of two that can replace each other, both score
 * low, and yet one must stay.
 *
 * @param evaluate the loss under a pass: `(pass) => loss(model.forward(x, pass), y)`
 * @throws ShallowsError where the loss of the whole model is not finite
 */
export function scoreSites(
  model: ModuleTree,
  evaluate: (pass: Pass) => number,
  { unit = 'site' }: ScoreOptions = {},
): SiteScores {
  const loss = evaluate(evaluation);
  if (!Number.isFinite(loss)) {
    throw new ShallowsError(
      `scoreSites: expected a finite loss of the whole model, got ${shown(loss)} - check what evaluates it`,
    );
  }
  const groups =
    unit === 'block' ? placedBlocks(model) : findSites(model).map((site) => ({ name: site.name, sites: [site] }));
  const scores = groups
    .filter(({ sites }) => sites.every(({ droppable }) => droppable))
    .map(({ name, sites }) => {
      const without = evaluate(
        skipSites(
          model,
          sites.map((site) => site.name),
        ),
      );
      const finite = Number.isNaN(without) ? Number.POSITIVE_INFINITY : without;
      return { name, loss: finite, increase: finite - loss };
    });
  return { loss, scores };
}
