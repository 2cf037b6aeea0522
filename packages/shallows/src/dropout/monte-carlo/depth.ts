import {
  findSites,
  independentRows,
  type ModuleTree,
  type Plan,
  type Policy,
  type Site,
  withPlan,
} from '../../depth/index.js';
import type { Pass } from '../../nn/pass.js';
import { deriveKey, indexOf, type Key, uniform } from '../../random/index.js';

/** The sites of a model whose branches are dropped in a Monte-Carlo prediction, and how kept ones count. */
export interface RandomDepth {
  readonly sites: readonly Site[];
  /** By site name: factor on a branch that is kept. */
  readonly scales: ReadonlyMap<string, number>;
}

/**
 * What a model's stochastic depth does in a Monte-Carlo prediction: as in training, each row decides for itself. Kept
 * branches count 1/(1 − p) times under `inverted` and `realised` scaling (whose mean that is), else once.
 *
 * @param scale as the policy says; unless given, `paper` where evaluation scales the branches, else `inverted`
 */
export function randomDepth(model: ModuleTree, scale: Policy['scale'] | null): RandomDepth {
  const sites = findSites(model).filter(({ droppable, drop }) => droppable && drop > 0);
  const scales = sites.map(({ name, drop, evaluationScale }): [string, number] => {
    const inverted = scale === null ? evaluationScale === 1 : scale === 'inverted' || scale === 'realised';
    return [name, inverted ? 1 / (1 - drop) : 1];
  });
  return { sites, scales: new Map(scales) };
}

/**
 * A pass in which each row of the active sites is dropped by itself: row r where u(key of r, site) < rate. Other sites run
 * as in evaluation.
 */
export function withRandomDepth(
  pass: Pass,
  { sites, scales }: RandomDepth,
  rowKeys: readonly Key[],
  isActive: (site: string) => boolean,
): Pass {
  if (sites.length === 0) return pass;
  const own = rowKeys.map((key) => deriveKey(key, 'depth'));
  const plan: Plan = {
    ...{ step: 0, microbatch: 0, rank: null, factor: 1 },
    sites: sites.map(({ name, drop, evaluationScale }) => {
      const execution = 'subset';
      if (!isActive(name)) return { name, drop, kept: true, rows: null, scale: evaluationScale, execution };
      const index = indexOf(name);
      const rows = independentRows(
        own.map((key) => uniform(key, index)),
        drop,
      );
      const kept = 'index' in rows && rows.index.length > 0;
      return { name, drop, kept, rows, scale: kept ? (scales.get(name) ?? 1) : 0, execution };
    }),
  };
  return withPlan(pass, plan);
}
