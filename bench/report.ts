import { type Benchmark, type GoalLine, type Table, verdictOf } from './benchmark.js';
import { figure } from './format.js';
import { goals } from './goals.js';
import type { Origin } from './origin.js';
import type { Result } from './results.js';

/** A benchmark and its last result. */
export interface Reported {
  readonly benchmark: Benchmark;
  readonly result: Result | null;
}

const intro = `# Performance

Made from the results in \`bench/results\` by \`npm run bench -- --write-docs\`; do not edit.

Ours and the peer run in turn (A B A B …) as processes of their own, warmed up, with the same libtorch, dtype and number of
threads. Figures are medians with the smallest and the largest of all rounds; ratios are ours ÷ peer, pair by pair, and below
1 is faster. A goal is met where its median is within its limit. \`npm run bench:setup\` installs the peers, \`npm run bench\`
measures everything, and \`npm run bench -- NAME\` one benchmark.
`;

/** The page about performance: each goal with its verdict, then every table with the command that makes it again. */
export function performancePage(reported: readonly Reported[]): string {
  return [intro, goalsPart(reported), ...reported.map(benchmarkPart)].join('\n');
}

function goalsPart(reported: readonly Reported[]): string {
  const lines = reported.flatMap(({ benchmark, result }) =>
    benchmark.goals(result?.rows ?? []).map((line) => ({ line, name: benchmark.name, result })),
  );
  const parts = goals.map((text, i) => {
    const rows = lines
      .filter(({ line }) => line.goal === i + 1)
      .map(({ line, name, result }) => [
        ...[line.what, limitText(line), valueText(line), verdictOf(line), `\`${name}\``],
        result === null ? '–' : dateOf(result.origin),
      ]);
    const columns = ['what', 'goal', 'measured (smallest – largest)', 'verdict', 'benchmark', 'measured on'];
    return `### ${i + 1}. ${text}\n\n${table({ title: '', columns, rows })}`;
  });
  return `## Goals\n\n${parts.join('\n')}`;
}

function benchmarkPart({ benchmark, result }: Reported): string {
  const head = `## ${benchmark.name}\n\n${benchmark.about}\n\n\`\`\`\nnpm run bench -- ${benchmark.name}\n\`\`\`\n`;
  if (result === null) return `${head}\nNot measured.\n`;
  const tables = benchmark.tables(result.rows).filter(({ rows }) => rows.length > 0);
  const parts = tables.map((each) => `### ${each.title}\n\n${table(each)}`);
  return [head, originText(result.origin), ...parts].join('\n');
}

function originText({ date, machine, versions, commit }: Origin): string {
  const peers = Object.entries(versions.peers).map(([name, version]) => `${name} ${version}`);
  const code =
    commit === null ? 'no commit' : `commit ${commit.hash.slice(0, 12)}${commit.dirty ? ' with changes' : ''}`;
  return [
    `${date.slice(0, 10)}, ${code}; ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.system};`,
    `Node ${versions.node.replace(/^v/, '')}, libtorch ${versions.libtorch}; ${peers.length === 0 ? 'no peers' : peers.join(', ')}.\n`,
  ].join('\n');
}

const dateOf = ({ date, commit }: Origin): string =>
  `${date.slice(0, 10)}${commit === null ? '' : ` at ${commit.hash.slice(0, 8)}${commit.dirty ? '+' : ''}`}`;

function limitText({ limit }: GoalLine): string {
  return 'atMost' in limit ? `≤ ${limit.atMost}` : `≥ ${limit.atLeast}`;
}

function valueText({ value, limit }: GoalLine): string {
  if (value === null) return '–';
  const bound = 'atMost' in limit ? limit.atMost : limit.atLeast;
  const text = (each: number): string => (bound > 0 && bound < 5 ? each.toFixed(3) : figure(each));
  const { median, low, high, count } = value;
  return count === 1 ? text(median) : `${text(median)} (${text(low)} – ${text(high)})`;
}

/** A table in Markdown. */
export function table({ columns, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((each) => each.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return `${[line(columns), `|${' --- |'.repeat(columns.length)}`, ...rows.map(line)].join('\n')}\n`;
}

/** A table for the terminal. */
export function plainTable({ title, columns, rows }: Table): string {
  const widths = columns.map((name, i) =>
    Math.max(...[name, ...rows.map((row) => row[i] ?? '')].map(({ length }) => length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((each, i) => each.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [title, ...[columns, ...rows].map((each) => `  ${line(each)}`)].join('\n');
}
