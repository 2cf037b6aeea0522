import type { Benchmark, GoalLine } from '../benchmark.js';
import { figure } from '../format.js';
import { benchMonteCarlo, type MonteCarloRow } from '../mc.js';
import type { Spread } from '../statistics.js';

const PASSES = 30;
const one = (value: number): Spread => ({ median: value, low: value, high: value, count: 1 });

/** Monte-Carlo prediction. */
export const mc: Benchmark<MonteCarloRow> = {
  name: 'mc',
  about: `T = ${PASSES} random passes with their statistics beside one evaluation, each in one process by turns.`,
  run({ python, quick, tell }) {
    if (python === null) {
      tell('mc: skipped, no Python with torch');
      return [];
    }
    return benchMonteCarlo(python, quick ? 1 : 7, ({ network, system }) => tell(`${network}: ${system}`));
  },
  tables: (rows) => [
    {
      title: `${PASSES} random passes, 2 threads`,
      columns: [
        'network',
        'system',
        'one evaluation, ms',
        'all passes, ms',
        'in evaluations',
        'of the work alone',
        'bit-equal',
      ],
      rows: rows.map((row) => [
        ...[row.network, row.system, figure(row.oneMs), figure(row.manyMs), figure(row.ratio)],
        ...[row.work === null ? '–' : figure(row.work), row.exact === null ? '–' : row.exact ? 'yes' : 'no'],
      ]),
    },
  ],
  goals(rows) {
    const networks = [...new Set(rows.map(({ network }) => network))];
    const isOurs = ({ system }: MonteCarloRow): boolean => system === 'Shallows, monteCarlo';
    const isLoop = ({ system }: MonteCarloRow): boolean => system === 'PyTorch, loop of whole passes';
    const against = networks.map((network): GoalLine => {
      const row = rows.find((each) => isOurs(each) && each.network === network);
      const value = row === undefined || row.work === null ? null : one(row.ratio / row.work);
      return { goal: 4, what: `time ÷ (prefix + T · suffix), ${network}`, limit: { atMost: 1.1 }, value };
    });
    const head = networks.find((each) => each.includes('head'));
    const [mine, loop] = [isOurs, isLoop].map((is) => rows.find((each) => is(each) && each.network === head));
    const value = mine === undefined || loop === undefined ? null : one(loop.manyMs / mine.manyMs);
    return [
      ...(against.length > 0
        ? against
        : [{ goal: 4, what: 'time ÷ (prefix + T · suffix)', limit: { atMost: 1.1 }, value: null } satisfies GoalLine]),
      { goal: 4, what: 'times faster than the Python loop, dropout before the head', limit: { atLeast: 8 }, value },
    ];
  },
};
