// What drawing a plan costs, by the number of sites. Arguments: numbers of sites as JSON, rounds. Prints microseconds a plan.
import { drawPlan, Policy, type PolicyOptions, rateSites } from 'shallows/depth';
import { rootKey } from 'shallows/random';

const [counts = '[]', rounds] = process.argv.slice(2);
const key = rootKey(1);
const ROWS = 128;
/** Long enough for the clock. */
const LEAST_MS = 50;
const settings: Readonly<Record<string, PolicyOptions>> = {
  'plan of blocks': { drop: 0.5 },
  'plan of rows, window': { drop: 0.5, unit: 'row', rows: 'window' },
  'plan of rows, random': { drop: 0.5, unit: 'row', rows: 'random' },
};

const all = Object.entries(settings).flatMap(([name, options]) =>
  (JSON.parse(counts) as readonly number[]).map((count) => {
    const policy = Policy(options);
    const names = Array.from({ length: count }, (_, i) => `layer${i >> 8}.${i & 255}`);
    return { name, policy, sites: rateSites(policy, names), size: count, us: [] as number[] };
  }),
);
let step = 0;
for (let round = 0; round <= Number(rounds); round++) {
  for (const { policy, sites, us } of all) {
    const start = performance.now();
    let plans = 0;
    while (plans < 3 || performance.now() - start < LEAST_MS) {
      drawPlan(policy, sites, { key, step: step++, rows: ROWS });
      plans += 1;
    }
    // The first round compiles.
    if (round > 0) us.push((1000 * (performance.now() - start)) / plans);
  }
}
console.log(JSON.stringify(all.map(({ name, size, us }) => ({ name, size, us }))));
