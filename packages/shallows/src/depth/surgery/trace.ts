import { isTensor, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { meterSlot } from '../cost/work.js';
import type { ModuleTree } from '../policy/find-sites.js';
import type { Site } from '../policy/site.js';
import { adaptedSlot } from './adaptor.js';

const allclose = new Operator('aten::allclose');

/** Distance from 1 to the next number. */
const epsilons: Readonly<Record<string, number>> = {
  float64: 2 ** -52,
  float32: 2 ** -23,
  float16: 2 ** -10,
  bfloat16: 2 ** -7,
};

/**
 * @internal Runs a model once in evaluation, checks each adapted block against its own forward, and gives the sites in the
 * order in which they run. Sites that cannot be dropped may run elsewhere: they stay behind their neighbour.
 *
 * @param wanted sites that the example must reach
 * @throws ShallowsError where a wanted site is not reached, or an adapted block differs from its own forward by more than
 *   rounding
 */
export function tracedOrder(
  model: ModuleTree,
  sites: readonly Site[],
  wanted: ReadonlySet<Site>,
  example: Tensor | ((pass: Pass) => unknown),
): readonly Site[] {
  const reached = new Set<string>();
  const names = new Map([...model.namedModules()].map(([path, module]) => [module, path]));
  const pass = evaluation
    .with(meterSlot, (name, branch) => {
      reached.add(name);
      return branch();
    })
    .with(adaptedSlot, (module, adapted, own) => requireSame(names.get(module) ?? '', module, adapted, own()));
  const scales = sites.map((site) => site.evaluationScale);
  try {
    for (const site of sites) site.evaluationScale = 1;
    noGrad(() => scope(() => void run(model, example, pass)));
  } finally {
    sites.forEach((site, i) => {
      site.evaluationScale = scales[i] ?? 1;
    });
  }
  const missed = sites.filter((site) => wanted.has(site) && site.droppable && !reached.has(site.name));
  if (missed.length > 0) throw new ShallowsError(notReached(missed, wanted.size));
  return inOrder(sites, [...reached]);
}

function run(model: ModuleTree, example: Tensor | ((pass: Pass) => unknown), pass: Pass): unknown {
  if (typeof example === 'function') return example(pass);
  if ('forward' in model && typeof model.forward === 'function') return model.forward(example, pass);
  throw new ShallowsError(
    'applyStochasticDepth: expected a model with a forward for an example input, got none - give example as (pass) => model.run(x, pass)',
  );
}

function requireSame(path: string, module: object, adapted: Tensor, own: unknown): void {
  if (isTensor(own) && sameShape(own, adapted) && own.dtype === adapted.dtype && sameValues(own, adapted)) return;
  const got = isTensor(own)
    ? `[${adapted.shape.join(', ')}] ${adapted.dtype} with other values than its [${own.shape.join(', ')}] ${own.dtype}`
    : 'a tensor where its forward gives something else';
  throw new ShallowsError(
    `applyStochasticDepth: expected the adaptor of ${module.constructor.name} to give what its own forward gives, got ${got} at ` +
      `${shown(path)} - correct the branch, shortcut or activation of adaptResidual`,
  );
}

function sameShape(a: Tensor, b: Tensor): boolean {
  return a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i]);
}

/** Up to a few roundings of the largest element: a small branch beside a large shortcut is compared too. */
function sameValues(own: Tensor, adapted: Tensor): boolean {
  if (own.numel === 0) return true;
  const largest = own.abs().max().item();
  const tolerance = Number.isFinite(largest) ? 4 * (epsilons[own.dtype] ?? 0) * largest : 0;
  return allclose.call([adapted, own, 0, tolerance, true]) === true;
}

function inOrder(sites: readonly Site[], reached: readonly string[]): readonly Site[] {
  const byName = new Map(sites.map((site) => [site.name, site]));
  const followers = new Map<Site | null, Site[]>();
  let before: Site | null = null;
  for (const site of sites) {
    if (reached.includes(site.name)) before = site;
    else followers.set(before, [...(followers.get(before) ?? []), site]);
  }
  const traced = reached.flatMap((name) => byName.get(name) ?? []);
  return [...(followers.get(null) ?? []), ...traced.flatMap((site) => [site, ...(followers.get(site) ?? [])])];
}

function notReached(missed: readonly Site[], count: number): string {
  const names = missed.slice(0, 3).map(({ name }) => `'${name}'`);
  const more = missed.length > 3 ? ` and ${missed.length - 3} more` : '';
  return (
    `applyStochasticDepth: expected the example to run every targeted site, got ${count - missed.length} of ${count}: not ` +
    `${names.join(', ')}${more} - hand the pass on to every block, or leave what does not run out of the target`
  );
}
