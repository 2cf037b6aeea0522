// npm run bench -- [NAME …] [--json] [--quick]: ours against PyTorch in Python, side by side in one run.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { version } from '@shallows/torch';
import { benchDepth, type DepthRow } from './depth.js';
import { type Command, type Comparison, interleave } from './interleave.js';
import { benchMonteCarlo, type MonteCarloRow } from './mc.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A benchmark: what both sides run, with the same arguments. */
interface Benchmark {
  readonly title: string;
  readonly program: 'dispatch' | 'step';
  readonly args: readonly string[];
}

const benchmarks: Readonly<Record<string, readonly Benchmark[]>> = {
  dispatch: [{ title: 'a one-element add, 1 thread, µs', program: 'dispatch', args: [] }],
  step: [
    { title: 'ResNet-110, batch 128, 32×32, 2 threads', program: 'step', args: ['110', '128', '2', '7'] },
    { title: 'ResNet-20, batch 128, 32×32, 2 threads', program: 'step', args: ['20', '128', '2', '25'] },
  ],
};

function python(): string {
  const found = [process.env['SHALLOWS_PYTHON'], here('../.venv/bin/python')].find(
    (each) => each !== undefined && existsSync(each),
  );
  if (found === undefined) {
    throw new Error(
      'bench: expected a Python with torch 2.13, found none - run `npm run bench:setup`, or set SHALLOWS_PYTHON',
    );
  }
  return found;
}

function main(args: readonly string[]): void {
  const flags = new Set(args.filter((each) => each.startsWith('--')));
  const names = args.filter((each) => !each.startsWith('--'));
  const known = [...Object.keys(benchmarks), 'depth', 'mc'];
  const unknown = [
    ...names.filter((each) => !known.includes(each)),
    ...[...flags].filter((each) => !['--json', '--quick'].includes(each)),
  ];
  if (unknown.length > 0) {
    throw new Error(
      `bench: expected names of ${known.join(', ')} and flags --json, --quick, got ${unknown.join(', ')}`,
    );
  }
  const rounds = flags.has('--quick') ? 3 : 7;
  const results: Record<string, Record<string, Comparison>> = {};
  let depth: readonly DepthRow[] | undefined;
  let mc: readonly MonteCarloRow[] | undefined;
  for (const name of names.length === 0 ? known : names) {
    if (name === 'depth') {
      depth = benchDepth(python(), flags.has('--quick') ? 20 : 100, flags.has('--json') ? () => {} : printDepth);
      continue;
    }
    if (name === 'mc') {
      mc = benchMonteCarlo(python(), rounds, flags.has('--json') ? () => {} : printMonteCarlo);
      continue;
    }
    for (const { title, program, args: programArgs } of benchmarks[name] ?? []) {
      const ours: Command = [process.execPath, here(`ours/${program}.js`), ...programArgs];
      const peer: Command = [python(), here(`../peers/${program}.py`), ...programArgs];
      results[title] = interleave(ours, peer, rounds);
      if (!flags.has('--json')) print(title, results[title]);
    }
  }
  const report = {
    node: process.version,
    libtorch: version().libtorch,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    rounds,
    results,
    ...(depth === undefined ? {} : { depth }),
    ...(mc === undefined ? {} : { mc }),
  };
  if (flags.has('--json')) console.log(JSON.stringify(report));
  mkdirSync(here('../results'), { recursive: true });
  writeFileSync(here(`../results/${names.join('-') || 'all'}.json`), `${JSON.stringify(report, null, 2)}\n`);
}

function printDepth(row: DepthRow): void {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(7);
  const times = `${row.fullMs.toFixed(0).padStart(5)} -> ${row.droppedMs.toFixed(0).padStart(5)} ms`;
  const saved = `work ${percent(row.workSaved)}  time ${percent(row.timeSaved)}  time ÷ work ${row.efficiency.toFixed(2)}`;
  const measured = row.timeEfficiency === null ? '' : `  ÷ branches' own time ${row.timeEfficiency.toFixed(2)}`;
  console.log(
    `${`${row.network}, ${row.drop}`.padEnd(30)} ${row.system.padEnd(38)} ${times}  saved: ${saved}${measured}  ` +
      `step ÷ ideal ${row.overIdeal.toFixed(3)}`,
  );
}

function printMonteCarlo({ network, system, oneMs, manyMs, ratio, work, exact }: MonteCarloRow): void {
  const times = `${oneMs.toFixed(1).padStart(7)} -> ${manyMs.toFixed(1).padStart(8)} ms`;
  const bound = work === null ? '' : `, its work ${work.toFixed(2)}`;
  const bits = exact === null ? '' : exact ? ', bit-equal to whole passes' : ', NOT bit-equal to whole passes';
  console.log(
    `${network.padEnd(46)} ${system.padEnd(36)} ${times}  T = 30 costs ${ratio.toFixed(2).padStart(5)} evaluations${bound}${bits}`,
  );
}

function print(title: string, comparisons: Readonly<Record<string, Comparison>>): void {
  console.log(`\n${title}`);
  for (const [name, { ours, peer, ratio, spread }] of Object.entries(comparisons)) {
    const range = `${spread[0].toFixed(2)} to ${spread[1].toFixed(2)}`;
    console.log(
      `  ${name.padEnd(36)} ours ${ours.toFixed(2).padStart(9)}  PyTorch ${peer.toFixed(2).padStart(9)}  ratio ${ratio.toFixed(2)} (${range})`,
    );
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
