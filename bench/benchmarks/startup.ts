import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark, Context, GoalLine } from '../benchmark.js';
import { type Comparison, comparisonGoal, comparisonTables } from '../comparison.js';
import { type Command, interleave, reasonOf, runJson } from '../interleave.js';
import { ours, peer } from '../programs.js';
import { pairwise, spreadOf } from '../statistics.js';

/** Whether the help of our command has libtorch in its memory, as the system tells it; null where it does not. */
interface HelpMaps {
  readonly libtorchLoaded: boolean | null;
}

type Row = Comparison | HelpMaps;

const STEP = 'process start to first training step, ms';
const HELP = 'shallows --help, ms';
const PEER = 'Python importing torch';
const TENSORBOARD = 'tensorboard --help';
const bin = fileURLToPath(new URL('../../../packages/shallows/bin/shallows.js', import.meta.url));
const isComparison = (row: Row): row is Comparison => 'peer' in row;
const isHelpMaps = (row: Row): row is HelpMaps => 'libtorchLoaded' in row;

/** From nothing to something. */
export const startup: Benchmark<Row> = {
  name: 'startup',
  about: 'From the start of a process to the end of its first training step, and to the end of the help of a command.',
  run(context) {
    const { python, quick } = context;
    const rounds = quick ? 1 : 11;
    const board = python === null ? null : join(dirname(python), 'tensorboard');
    const script = peer(python, 'help');
    const helpers: readonly Side[] = [
      { name: 'argparse script that imports torch', run: script && (() => wholeRun([...script, '--help'])) },
      { name: TENSORBOARD, run: board !== null && existsSync(board) ? () => wholeRun([board, '--help']) : null },
    ];
    const first = peer(python, 'startup');
    return [
      ...inTurn(
        context,
        STEP,
        () => untilStep(ours('startup')),
        [{ name: PEER, run: first && (() => untilStep(first)) }],
        rounds,
      ),
      ...inTurn(context, HELP, () => wholeRun([process.execPath, bin, '--help']), helpers, rounds),
      { libtorchLoaded: helpLoadsLibtorch() },
    ];
  },
  tables: (rows) => [
    ...comparisonTables('Start', rows.filter(isComparison)),
    {
      title: 'Libraries in the memory of `shallows --help`',
      columns: ['library', 'loaded'],
      rows: rows.filter(isHelpMaps).map(({ libtorchLoaded }) => ['libtorch', loadedText(libtorchLoaded)]),
    },
  ],
  goals(rows) {
    const comparisons = rows.filter(isComparison);
    const half = { goal: 6, limit: { atMost: 0.5 } };
    const help = comparisons.find(({ figure }) => figure === HELP)?.ours ?? null;
    const loaded = rows.find(isHelpMaps)?.libtorchLoaded ?? null;
    return [
      comparisonGoal(
        comparisons,
        { figure: STEP, peer: PEER },
        { ...half, what: 'process start to first training step' },
      ),
      { goal: 6, what: '`shallows --help`, ms', limit: { atMost: 150 }, value: help },
      {
        ...{ goal: 6, what: 'times `shallows --help` loads libtorch', limit: { atMost: 0 } },
        value: loaded === null ? null : spreadOf([Number(loaded)]),
      } satisfies GoalLine,
    ];
  },
};

interface Side {
  readonly name: string;
  readonly run: (() => number) | null;
}

function inTurn(
  { tell }: Context,
  figure: string,
  mine: () => number,
  peers: readonly Side[],
  rounds: number,
): Comparison[] {
  tell(figure);
  const able = peers.filter(({ run }) => run !== null);
  const contenders = [{ name: '', run: mine }, ...able].map(({ run }) => ({
    run: () => ({ ms: run?.() ?? Number.NaN }),
  }));
  // The first of each reads its files from the disk.
  interleave(contenders, 1);
  const [own, ...others] = interleave(contenders, rounds);
  const values = (outcome = own): (number | null)[] => outcome?.rounds.map((each) => each?.ms ?? null) ?? [];
  return peers.map(({ name, run }) => {
    const outcome = run === null ? null : (others[able.findIndex((each) => each.name === name)] ?? null);
    const theirs = outcome === null ? [] : values(outcome);
    return {
      ...{ work: 'process', figure, threads: 1, peer: name },
      ours: spreadOf(values().filter((each) => each !== null)),
      theirs: spreadOf(theirs.filter((each) => each !== null)),
      ratio: pairwise(values(), theirs),
      note: run === null ? 'skipped: not installed' : (outcome?.failure ?? ''),
    };
  });
}

function untilStep(command: Command): number {
  const start = performance.timeOrigin + performance.now();
  const { at } = runJson(command, { env: { OMP_NUM_THREADS: '1' } }) as { readonly at: number };
  return at - start;
}

function wholeRun([program, ...args]: Command): number {
  const start = performance.now();
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${reasonOf(stderr)}`);
  return ms;
}

// Prints on stderr whether libtorch is mapped into the process that ends.
const look = `import { readFileSync, writeSync } from 'node:fs';
process.on('exit', () => {
  try { writeSync(2, 'mapped: ' + /libtorch|shallows_torch/.test(readFileSync('/proc/self/maps', 'utf8'))); } catch {}
});`;

function helpLoadsLibtorch(): boolean | null {
  const args = ['--import', `data:text/javascript,${encodeURIComponent(look)}`, bin, '--help'];
  const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const told = /mapped: (true|false)/.exec(stderr);
  return told === null ? null : told[1] === 'true';
}

function loadedText(loaded: boolean | null): string {
  return loaded === null ? 'not known here' : loaded ? 'yes' : 'no';
}
