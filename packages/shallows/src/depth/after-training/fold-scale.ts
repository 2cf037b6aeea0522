import { type DType, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { findSites } from '../policy/find-sites.js';
import type { Policy } from '../policy/policy.js';
import { placesOf, rateSites } from '../policy/rate-sites.js';
import type { Site } from '../policy/site.js';
import type { ParameterTree } from '../residual/gradless.js';
import { branchEnds } from './fold-ends.js';

const mul_ = new Operator('aten::mul_', 'Tensor');
const div_ = new Operator('aten::div_', 'Tensor');

/** What was folded, and how well. */
export interface FoldReport {
  /** The factor of each site that has one, by name: what `unfoldScale` takes. */
  readonly scales: Readonly<Record<string, number>>;
  /** Keys of the parameters that each factor went into, by site name. */
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  /** Largest difference that it made to the outputs on the example, relative to their largest value. */
  readonly difference: number;
}

/**
 * Turns a network whose evaluation counts a branch q times (scaling `paper`) into a plain one that computes the same:
 * q · (W·x + b) = (q·W)·x + q·b. The last affine operator of each branch takes q: weight and bias of a batch norm, a layer
 * norm, a linear layer or a convolution, or the γ of a layer scale. `site.evaluationScale` becomes 1.
 *
 * Keys, running statistics and everything else stay, and so do the outputs, but for the rounding of the products. The
 * tensors stay the same objects. To train on, apply a policy with scaling `inverted` and make a new optimizer.
 *
 * @param forward evaluates an example: `(pass) => model.forward(x, pass)`. It shows where the branches end
 * @throws ShallowsError naming every branch that does not end in an affine operator with parameters of its own: one that
 *   ends in an activation, shares its last layer, or never runs; for a scale of 0 (prune that block); where the outputs
 *   would not be the same. Nothing is changed then
 */
export function foldScale(model: ParameterTree, forward: (pass: Pass) => Tensor): FoldReport {
  const scaled = findSites(model).filter(({ evaluationScale }) => evaluationScale !== 1);
  const scales = new Map(scaled.map((site) => [site, site.evaluationScale]));
  return rescale('foldScale', model, forward, scales, (site, parameters, scale) => {
    for (const each of parameters) mul_.call([each, scale]);
    site.evaluationScale = 1;
  });
}

/**
 * Undoes {@link foldScale}, or turns a network that was trained under `inverted` scaling into one that trains on under
 * `paper` scaling: the last affine operator of each branch is divided by q, and `site.evaluationScale` becomes q.
 *
 * @param scales q by site name, as `foldScale` reports it; or a policy with scaling `paper`: then q is 1 − rate
 * @throws ShallowsError as `foldScale`; for names that no site has, scales that are not above 0, sites that have a scale,
 *   or a policy with another scaling
 */
export function unfoldScale(
  model: ParameterTree,
  forward: (pass: Pass) => Tensor,
  scales: Policy | Readonly<Record<string, number>>,
): FoldReport {
  const sites = findSites(model);
  const wanted = isPolicy(scales) ? keptShares(scales, sites) : new Map(Object.entries(scales));
  const byName = new Map(sites.map((site) => [site.name, site]));
  const found = new Map<Site, number>();
  for (const [name, scale] of wanted) {
    const site = byName.get(name);
    if (site === undefined || site.evaluationScale !== 1) {
      const got = site === undefined ? `'${name}'` : `'${name}', which counts ${site.evaluationScale} times already`;
      throw new ShallowsError(
        `unfoldScale: expected the names of sites that count once, got ${got} - take them from what foldScale returned`,
      );
    }
    if (scale !== 1) found.set(site, scale);
  }
  return rescale('unfoldScale', model, forward, found, (site, parameters, scale) => {
    for (const each of parameters) div_.call([each, scale]);
    site.evaluationScale = scale;
  });
}

function isPolicy(scales: Policy | Readonly<Record<string, number>>): scales is Policy {
  return 'schedule' in scales && typeof scales.schedule === 'string';
}

function keptShares(policy: Policy, sites: readonly Site[]): ReadonlyMap<string, number> {
  if (policy.scale !== 'paper') {
    throw new ShallowsError(
      `unfoldScale: expected a policy with scale 'paper', got '${policy.scale}' - under it every branch counts once`,
    );
  }
  return new Map(rateSites(policy, placesOf(sites)).map(({ name, drop }) => [name, 1 - drop]));
}

type Change = (site: Site, parameters: readonly Tensor[], scale: number) => void;

function rescale(
  fn: string,
  model: ParameterTree,
  forward: (pass: Pass) => Tensor,
  scales: ReadonlyMap<Site, number>,
  change: Change,
): FoldReport {
  requireScales(fn, scales);
  const keys = new Map(Array.from(model.namedParameters(), ([key, parameter]) => [parameter, key]));
  const names = Array.from(scales.keys(), ({ name }) => name);
  return noGrad(() =>
    scope(() => {
      const ends = branchEnds(fn, [...keys.keys()], forward, names);
      const saved = [...ends.values()].flat().map((each) => [each, each.clone()] as const);
      const before = forward(evaluation);
      const scalesBefore = Array.from(scales.keys(), (site) => [site, site.evaluationScale] as const);
      for (const [site, scale] of scales) change(site, ends.get(site.name) ?? [], scale);
      const difference = relativeDifference(before, forward(evaluation));
      if (!(difference <= 4 * Math.sqrt(epsilon(before.dtype)))) {
        for (const [parameter, value] of saved) parameter.copy_(value);
        for (const [site, scale] of scalesBefore) site.evaluationScale = scale;
        throw new ShallowsError(
          `${fn}: expected the same outputs on the example, got a difference of ${difference.toPrecision(3)} of the largest - ` +
            'look for a layer that is used elsewhere too, or an example that overflows; the model is as it was',
        );
      }
      return {
        scales: Object.fromEntries(Array.from(scales, ([site, scale]) => [site.name, scale])),
        parameters: Object.fromEntries(
          Array.from(ends, ([name, parameters]) => [name, parameters.map((each) => keys.get(each) ?? '')]),
        ),
        difference,
      };
    }),
  );
}

function requireScales(fn: string, scales: ReadonlyMap<Site, number>): void {
  for (const [{ name }, scale] of scales) {
    if (scale > 0 && scale < Number.POSITIVE_INFINITY) continue;
    const advice = scale === 0 ? 'this branch never counts: remove the block with pruneSites' : 'correct it';
    throw new ShallowsError(`${fn}: expected a scale above 0 for the site '${name}', got ${shown(scale)} - ${advice}`);
  }
}

function relativeDifference(a: Tensor, b: Tensor): number {
  const wide = (x: Tensor): Tensor => x.to({ dtype: 'float64' });
  const largest = wide(a).abs().max().item();
  const difference = wide(b).sub(wide(a)).abs().max().item();
  return Number(difference) === 0 ? 0 : Number(difference) / Number(largest);
}

function epsilon(dtype: DType): number {
  const bits: Partial<Record<DType, number>> = { float64: 52, float32: 23, float16: 10, bfloat16: 7 };
  return 2 ** -(bits[dtype] ?? 23);
}
