// Training steps with something dropped, each beside one with nothing dropped: prints both, the share of work saved and the
// share of time that the dropped branches take when everything runs; for rows, how a batch of fewer rows does.
// Arguments: NETWORK (resnet110, resnet50, vit), a policy as JSON, threads, pairs of steps.
import { ops, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
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

function networkOf(name: string): Network {
  const network = networks[name];
  if (network === undefined) throw new Error(`expected one of ${Object.keys(networks).join(', ')}, got ${name}`);
  return network;
}

const [name = '', options = '{}', threads, count] = process.argv.slice(2);
const network = networkOf(name);
setNumThreads(Number(threads));
const model = network.make();
const optimizer = new SGD(model.parameters(), {
  lr: 0.01,
  momentum: 0.9,
  nesterov: true,
  weightDecay: 1e-4,
  fused: true,
});
const { channelsLast } = network;
if (channelsLast) orderModel(model, true);
const rows = network.input[0] as number;

/** A batch of so many rows. */
function batchOf(count: number): { readonly x: Tensor; readonly y: Tensor } {
  const x = placed(randn([count, ...network.input.slice(1)]), { device: 'cpu', channelsLast });
  return { x, y: ops.aten.randint(10, [count], { dtype: 'int64' }) as Tensor };
}

const batch = batchOf(rows);
findSites(model);
const work = measureWork((pass) => model.forward(batch.x, pass));
const policy = Policy(JSON.parse(options) as PolicyOptions);
const sites = applyPolicy(model, policy);
const none = Policy({ drop: 0 });
const all = applyPolicy(model, none);
applyPolicy(model, policy);

/** One step that follows a plan; returns its milliseconds. */
function run(plan: Plan, { x, y } = batch): number {
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
const rounds = Math.min(8, Math.ceil(Number(count) / 4));
const shares = timeShares(rounds);
const pairs = measured.map(({ plan, fullMs, droppedMs }) => ({
  full: fullMs,
  dropped: droppedMs,
  saved: savedBy(plan, (site) => (work.branchFlops[site] ?? 0) / work.totalFlops),
  savedTime: savedBy(plan, (site) => shares.get(site) ?? 0),
}));

/** How much longer than its share a step takes with a batch that just has fewer rows, as much work as the plans leave. */
function smallBatch(): number {
  const kept = Math.round(rows * (1 - pairs.reduce((sum, { saved }) => sum + saved, 0) / pairs.length));
  const fewer = batchOf(kept);
  const plan = drawPlan(none, all, { key, step: 0, rows: kept });
  for (let i = 0; i < 3; i++) run(plan, fewer);
  const ratios = Array.from({ length: 3 * rounds }, () => {
    const [before, alone, after] = [run(full), run(plan, fewer), run(full)];
    return alone / (((before + after) / 2) * (kept / rows));
  });
  return median(ratios);
}

console.log(JSON.stringify({ pairs, smallBatch: policy.unit === 'row' ? smallBatch() : null }));
