// Training steps with something dropped, each beside one with nothing dropped: prints both, the share of work saved and the
// share of time that the dropped branches take when everything runs.
// Arguments: NETWORK (resnet110, resnet50, vit), a policy as JSON, threads, pairs of steps.
import { ops, randn, scope, setNumThreads } from '@shallows/torch';
import {
  applyPolicy,
  drawPlan,
  findSites,
  fixedPlan,
  keptRows,
  measureWork,
  type Plan,
  Policy,
  type PolicyOptions,
  type RatedSite,
  type SitePlan,
  withPlan,
} from 'shallows/depth';
import { createModel } from 'shallows/models';
import { crossEntropy, type Module, SGD, trainingPass } from 'shallows/nn';
import { rootKey } from 'shallows/random';
import { orderModel, placed } from 'shallows/train';
import { median } from '../interleave.js';

const key = rootKey(1);
interface Network {
  readonly make: () => Module;
  readonly input: readonly number[];
  /** Whether the order of memory in which convolutions are fastest is this network's. */
  readonly channelsLast: boolean;
}
const networks: Readonly<Record<string, Network>> = {
  resnet110: {
    make: () => createModel('cifar-resnet', { depth: 110, classes: 10, key }),
    input: [64, 3, 32, 32],
    channelsLast: true,
  },
  resnet50: {
    make: () => createModel('resnet', { depth: 50, classes: 1000, key }),
    input: [16, 3, 64, 64],
    channelsLast: true,
  },
  vit: {
    make: () => createModel('vit', { size: 'ti', patch: 4, image: 32, classes: 10, key }),
    input: [64, 3, 32, 32],
    channelsLast: false,
  },
};

const [name = '', options = '{}', threads, count] = process.argv.slice(2);
const network = networks[name];
if (network === undefined) throw new Error(`expected one of ${Object.keys(networks).join(', ')}, got ${name}`);
setNumThreads(Number(threads));
const model = network.make();
const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-4 });
const { channelsLast } = network;
if (channelsLast) orderModel(model, true);
const x = placed(randn(network.input), { device: 'cpu', channelsLast });
const rows = network.input[0] as number;
const y = ops.aten.randint(10, [rows], { dtype: 'int64' });
findSites(model);
const work = measureWork((pass) => model.forward(x, pass));
const policy = Policy(JSON.parse(options) as PolicyOptions);
const sites = applyPolicy(model, policy);
const none = Policy({ drop: 0 });
const all = applyPolicy(model, none);
applyPolicy(model, policy);

/** One step that follows a plan; returns its milliseconds. */
function run(plan: Plan): number {
  const start = performance.now();
  scope(() => {
    optimizer.zeroGrad();
    const logits = model.forward(x, withPlan(trainingPass({ key }), plan));
    crossEntropy(logits, y).backward();
    optimizer.step();
  });
  return performance.now() - start;
}

const full = drawPlan(none, all, { key, step: 0 });

/**
 * The share of a whole step that each branch takes: a stage's branches of one kind are left out together, so that the
 * difference is well above the noise, and the time is shared among them by their FLOPs.
 */
function timeShares(rounds: number): ReadonlyMap<string, number> {
  const groups = new Map<string, RatedSite[]>();
  for (const site of all) {
    const group = `${site.name.split('.')[0]} ${site.kind}`;
    groups.set(group, [...(groups.get(group) ?? []), site]);
  }
  const plans = [...groups.values()].map((group) =>
    fixedPlan(
      none,
      all,
      group.map(({ name }) => name),
    ),
  );
  const shares: number[][] = plans.map(() => []);
  for (let round = 0; round < rounds; round++) {
    plans.forEach((plan, i) => {
      const [before, without, after] = [run(full), run(plan), run(full)];
      shares[i]?.push(1 - without / ((before + after) / 2));
    });
  }
  const flopsOf = (name: string): number => work.branchFlops[name] ?? 0;
  return new Map(
    [...groups.values()].flatMap((group, i) => {
      const sum = group.reduce((total, { name }) => total + flopsOf(name), 0);
      return group.map(({ name }) => [name, (median(shares[i] ?? []) * flopsOf(name)) / sum] as const);
    }),
  );
}

const ran = (site: SitePlan): number => (site.rows === null ? Number(site.kept) : keptRows(site.rows) / site.rows.of);
const savedBy = (plan: Plan, share: (name: string) => number): number =>
  plan.sites.reduce((sum, site) => sum + (1 - ran(site)) * share(site.name), 0);

const plans = Array.from({ length: Number(count) }, (_, step) => drawPlan(policy, sites, { key, step, rows }));
for (const plan of plans.slice(0, 3)) for (const each of [plan, full]) run(each);
const measured = plans.map((plan, i) => {
  // A B, then B A: what drifts hits both alike.
  if (i % 2 === 0) {
    const fullMs = run(full);
    return { plan, fullMs, droppedMs: run(plan) };
  }
  const droppedMs = run(plan);
  return { plan, fullMs: run(full), droppedMs };
});
const shares = timeShares(Math.min(8, Math.ceil(Number(count) / 4)));
console.log(
  JSON.stringify(
    measured.map(({ plan, fullMs, droppedMs }) => ({
      full: fullMs,
      dropped: droppedMs,
      saved: savedBy(plan, (site) => (work.branchFlops[site] ?? 0) / work.totalFlops),
      savedTime: savedBy(plan, (site) => shares.get(site) ?? 0),
    })),
  ),
);
