import type { Site } from '../../depth/index.js';
import { StochasticDepth } from '../../depth/index.js';
import type { DropoutSite } from '../site.js';
import type { StochasticSite } from './inventory-types.js';
import { type ModelSites, type PathModule, pathRate } from './model-sites.js';

/** What the modules alone say of a random place. */
export type ListedSite = Pick<
  StochasticSite,
  'name' | 'kind' | 'rate' | 'active' | 'granularity' | 'scaling' | 'schedule'
>;

/** Every random place that the modules of a model hold: dropouts, sites of stochastic depth, and paths that drop. */
export function listedSites({ dropouts, depth, paths }: ModelSites): readonly ListedSite[] {
  return [...dropouts.map(ofDropout), ...depth.map(ofDepth), ...paths.map(ofPath)];
}

function ofDropout({ name, kind, rate, granularity, scaling, schedule }: DropoutSite): ListedSite {
  return { name, kind, rate, active: rate > 0, granularity, scaling, schedule };
}

function ofDepth({ name, drop, evaluationScale, applied }: Site): ListedSite {
  return {
    ...{ name, kind: 'depth', rate: drop, active: drop > 0 },
    granularity: applied?.unit ?? 'block',
    // A rate that was set by hand says how it is meant by how evaluation counts the branch.
    scaling: applied?.scale ?? (evaluationScale === 1 ? 'inverted' : 'paper'),
    schedule: null,
  };
}

function ofPath(module: PathModule): ListedSite {
  const rate = pathRate(module);
  const isTorchvision = module instanceof StochasticDepth;
  return {
    ...{ name: module.name, rate, active: rate > 0, schedule: null },
    kind: isTorchvision ? 'stochastic-depth' : 'drop-path',
    granularity: isTorchvision && module.mode === 'batch' ? 'block' : 'row',
    scaling: isTorchvision || module.scaleByKeep ? 'inverted' : 'none',
  };
}
