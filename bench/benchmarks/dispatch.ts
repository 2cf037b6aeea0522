import type { Benchmark } from '../benchmark.js';
import { type Comparison, compare, comparisonGoal, comparisonTables } from '../comparison.js';
import { ours, peer } from '../programs.js';

const PEER = 'PyTorch eager';
const WORK = 'add of one element';

/** What an operator costs that computes nothing. */
export const dispatch: Benchmark<Comparison> = {
  name: 'dispatch',
  about:
    'What a call costs: an addition of one element, a chain of 1,000 of them, and its backward pass, each by operator.',
  run(context) {
    const [warmup, repeats, rounds] = context.quick ? [20, 20, 1] : [100, 200, 15];
    return compare(context, {
      ...{ work: WORK, threads: 1, rounds },
      ours: { command: ours('dispatch', warmup, repeats) },
      peers: [{ name: PEER, command: peer(context.python, 'dispatch', warmup, repeats) }],
    });
  },
  tables: (rows) => comparisonTables('A call', rows),
  goals: (rows) =>
    [
      ['an add by itself, no gradient, µs', 'an add by itself'],
      ['add in a chain, no gradient, µs', 'forward of a chain of 1,000'],
      ['add in a chain, recorded, µs', 'forward of the chain, recorded for backward'],
      ['backward of the chain, µs', 'backward of the chain'],
    ].map(([figure = '', what = '']) =>
      comparisonGoal(rows, { figure, peer: PEER }, { goal: 1, what: `${what}, 1 thread`, limit: { atMost: 1 } }),
    ),
};
