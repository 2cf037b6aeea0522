import type { Benchmark, GoalLine } from '../benchmark.js';
import { figure, ratioText, spreadText } from '../format.js';
import { benchMonteCarlo, type MonteCarloRow } from '../mc.js';
import type { Spread } from '../statistics.js';

const PASSES = 30;

/** Each of one spread ÷ each of another. */
function over(a: Spread, b: Spread): Spread {
  return { median: a.median / b.median, low: a.low / b.high, high: a.high / b.low, count: Math.min(a.count, b.count) };
}

/** Monte-Carlo prediction. */
export const mc: Benchmark<MonteCarloRow> = {
  name: 'mc',
  about: `T = ${PASSES} random passes with their statistics beside one evaluation, each in one process by turns.`,
  run({ python, quick, tell }) {
    if (python === null) tell('peers: skipped, no Python with torch');
    return benchMonteCarlo(
      python,
      quick ? { passes: 3, rounds: 1 } : { passes: PASSES, rounds: 25 },
      ({ network, system }) => tell(`${network}: ${system}`),
    );
  },
  tables: (rows) => [
    {
      title: 'Random passes, 2 threads',
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
        ...[row.network, row.system, figure(row.oneMs), spreadText(row.manyMs), ratioText(row.ratio)],
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
      const { ratio = null, work = null } = row ?? {};
      const exactly = work === null || ratio === null ? null : { ...ratio, median: work, low: work, high: work };
      const value = ratio === null || exactly === null ? null : over(ratio, exactly);
      return { goal: 4, what: `time ÷ (prefix + T · suffix), ${network}`, limit: { atMost: 1.1 }, value };
    });
    const head = networks.find((each) => each.includes('head'));
    const [mine, loop] = [isOurs, isLoop].map((is) => rows.find((each) => is(each) && each.network === head));
    const [theirMs, ourMs] = [loop?.manyMs ?? null, mine?.manyMs ?? null];
    const value = theirMs === null || ourMs === null ? null : over(theirMs, ourMs);
    return [
      ...(against.length > 0
        ? against
        : [{ goal: 4, what: 'time ÷ (prefix + T · suffix)', limit: { atMost: 1.1 }, value: null } satisfies GoalLine]),
      { goal: 4, what: 'times faster than the Python loop, dropout before the head', limit: { atLeast: 8 }, value },
    ];
  },
};
