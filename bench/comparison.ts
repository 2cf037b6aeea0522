import type { Context, GoalLine, Table } from './benchmark.js';
import { count, ratioText, spreadText } from './format.js';
import { type Command, type Figures, interleave, type RunOptions, runJson } from './interleave.js';
import { pairwise, type Spread, spreadOf } from './statistics.js';

/** One figure of ours beside one peer's. */
export interface Comparison {
  /** What is done. */
  readonly work: string;
  /** What is measured, with its unit; less is better. */
  readonly figure: string;
  readonly threads: number;
  readonly ours: Spread | null;
  readonly peer: string;
  readonly theirs: Spread | null;
  /** Ours ÷ peer, round by round. */
  readonly ratio: Spread | null;
  /** How the peer was set up, or why it has no figure. */
  readonly note: string;
}

/** One side of a comparison. */
export interface Side {
  readonly name: string;
  /** Null where it cannot run here. */
  readonly command: Command | null;
  readonly options?: RunOptions;
  readonly note?: string;
}

/** What is compared. */
export interface Pairing {
  readonly work: string;
  readonly threads: number;
  readonly ours: Omit<Side, 'name'> & { readonly command: Command };
  readonly peers: readonly Side[];
  readonly rounds: number;
}

const noPython = 'skipped: no Python with torch';

/** Runs ours and the peers in turn; a row for each figure that ours prints, and each peer. */
export function compare({ tell }: Context, { work, threads, ours, peers, rounds }: Pairing): Comparison[] {
  const able = peers.filter(({ command }) => command !== null);
  const sides = [ours, ...able];
  const outcomes = interleave(
    sides.map(({ command, options }, i) => ({
      run: () => {
        tell(`${work}, ${threads} threads: ${i === 0 ? 'Shallows' : (able[i - 1]?.name ?? '')}`);
        return figuresOf(runJson(command as Command, options));
      },
    })),
    rounds,
  );
  const [mine, ...others] = outcomes;
  const parameters = mine?.rounds[0]?.parameters;
  const figures = Object.keys(mine?.rounds[0] ?? {}).filter((name) => name !== 'parameters');
  return figures.flatMap((figure) => {
    const own = (mine?.rounds ?? []).map((each) => each?.[figure] ?? null);
    return peers.map(({ name, command, note = '' }) => {
      const outcome = command === null ? null : (others[able.findIndex((each) => each.name === name)] ?? null);
      const theirs = (outcome?.rounds ?? []).map((each) => each?.[figure] ?? null);
      const different = outcome?.rounds.find((each) => each !== null && each.parameters !== parameters);
      if (different !== undefined && different !== null) {
        throw new Error(
          `${work}: expected ${name} to have ${parameters} parameters as ours, got ${different.parameters} - ` +
            'mend the network of the peer',
        );
      }
      return {
        ...{ work, figure, threads, peer: name },
        ours: spreadOf(own.filter((each) => each !== null)),
        theirs: spreadOf(theirs.filter((each) => each !== null)),
        ratio: pairwise(own, theirs),
        note: command === null ? noPython : [outcome?.failure ?? '', note].filter((each) => each !== '').join('; '),
      };
    });
  });
}

function figuresOf(value: unknown): Figures {
  if (typeof value === 'object' && value !== null && 'failed' in value) throw new Error(String(value.failed));
  return value as Figures;
}

/** Rows as a table, one for each number of threads. */
export function comparisonTables(title: string, rows: readonly Comparison[]): Table[] {
  const threads = [...new Set(rows.map((row) => row.threads))];
  return threads.map((each) => ({
    title: `${title}, ${count(each, 'thread')}`,
    columns: ['work', 'figure', 'Shallows', 'peer', 'its figure', 'ratio', 'note'],
    rows: rows
      .filter((row) => row.threads === each)
      .map(({ work, figure, ours, peer, theirs, ratio, note }) => [
        ...[work, figure, spreadText(ours), peer, spreadText(theirs), ratioText(ratio), note],
      ]),
  }));
}

/** The line of a goal about one comparison. */
export function comparisonGoal(
  rows: readonly Comparison[],
  wanted: Partial<Pick<Comparison, 'work' | 'figure' | 'threads' | 'peer'>>,
  line: Omit<GoalLine, 'value'>,
): GoalLine {
  const keys = Object.keys(wanted) as (keyof typeof wanted)[];
  const row = rows.find((each) => keys.every((key) => each[key] === wanted[key]));
  return { ...line, value: row?.ratio ?? null };
}
