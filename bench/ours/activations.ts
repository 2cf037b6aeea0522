// The most memory that a step takes on top of what lies between steps: nothing dropped, everything dropped, and by a policy.
// Arguments: NETWORK, `gate` (every other block), `window` or `random` (30 % of the rows at each site), rounds. Linux alone; start with
// MALLOC_MMAP_THRESHOLD_=65536 and MALLOC_TRIM_THRESHOLD_=0, so that what is freed goes back to the system at once.
import { emptyCache, setNumThreads } from '@shallows/torch';
import { applyPolicy, drawPlan, fixedPlan, keptRows, type Plan, Policy, withPlan } from 'shallows/depth';
import { trainingPass } from 'shallows/nn';
import { rootKey } from 'shallows/random';
import { training } from './networks.js';
import { forgetPeak, peakMB, residentMB } from './peak.js';
import { trainingStep } from './training-step.js';

const [name = '', method = '', rounds] = process.argv.slice(2);
setNumThreads(1);
const key = rootKey(1);
const trained = training(name, { channelsLast: false, fused: true });
const { model, optimizer } = trained;
const rows = trained.inputs.shape[0] ?? 0;
const none = Policy({ drop: 0 });
const all = applyPolicy(model, none);
const full = drawPlan(none, all, { key, step: 0 });
const names = all.map((site) => site.name);
const empty = fixedPlan(none, all, names);

/** What the method leaves out in one step. */
function drawn(step: number): Plan {
  if (method === 'window' || method === 'random') {
    const policy = Policy({ drop: 0.3, schedule: 'uniform', unit: 'row', rows: method });
    return drawPlan(policy, applyPolicy(model, policy), { key, step, rows });
  }
  if (method !== 'gate') throw new Error(`expected gate, window or random, got ${method}`);
  // Attention and feed-forward of a block are one layer.
  const dropped = all.filter(({ layer }) => layer % 2 === step % 2).map((site) => site.name);
  return fixedPlan(none, all, dropped);
}

function peakOf(plan: Plan): number {
  optimizer.zeroGrad();
  emptyCache();
  const before = residentMB();
  forgetPeak();
  trainingStep(trained, withPlan(trainingPass({ key }), plan));
  return peakMB() - before;
}

const ran = ({ sites }: Plan): number =>
  sites.reduce((sum, site) => sum + (site.rows === null ? Number(site.kept) : keptRows(site.rows) / site.rows.of), 0) /
  sites.length;

for (const plan of [full, empty]) peakOf(plan);
const measured = Array.from({ length: Number(rounds) }, (_, step) => {
  const plan = drawn(step);
  return { full: peakOf(full), dropped: peakOf(plan), empty: peakOf(empty), share: 1 - ran(plan) };
});
console.log(JSON.stringify(measured));
