import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Benchmark, type GoalLine, verdictOf } from '../../bench/benchmark.js';
import { benchmarks } from '../../bench/benchmarks/index.js';
import { goals } from '../../bench/goals.js';
import { performancePage, plainTable, table } from '../../bench/report.js';
import { readResult } from '../../bench/results.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

test('docs/performance.md is what the generator makes of the results that are kept', () => {
  const reported = benchmarks.map((benchmark) => ({
    benchmark,
    result: readResult(here('../../bench/results'), benchmark.name),
  }));
  expect(readFileSync(here('../../docs/performance.md'), 'utf8')).toBe(performancePage(reported));
});

test('every goal has lines, also where nothing was measured', () => {
  const lines = benchmarks.flatMap((benchmark) => benchmark.goals([]));
  expect([...new Set(lines.map(({ goal }) => goal))].sort()).toEqual(goals.map((_, i) => i + 1));
  expect(new Set(lines.map((line) => verdictOf(line)))).toEqual(new Set(['not measured']));
});

const spread = (median: number) => ({ median, low: median - 0.1, high: median + 0.1, count: 3 });

describe('verdicts', () => {
  const line = (limit: GoalLine['limit'], median: number | null): Pick<GoalLine, 'limit' | 'value'> => ({
    limit,
    value: median === null ? null : spread(median),
  });

  test.each([
    [{ atMost: 1 }, 1, 'met'],
    [{ atMost: 1 }, 1.001, 'not met'],
    [{ atLeast: 0.97 }, 0.97, 'met'],
    [{ atLeast: 0.97 }, 0.969, 'not met'],
    [{ atMost: 1 }, Number.NaN, 'not measured'],
    [{ atLeast: 1 }, null, 'not measured'],
  ] as const)('%o and %s: %s', (limit, median, verdict) => {
    expect(verdictOf(line(limit, median))).toBe(verdict);
  });
});

test('the page says goal, ratio, spread, verdict, machine, versions and command', () => {
  const benchmark: Benchmark = {
    name: 'toy',
    about: 'A toy.',
    run: () => [],
    tables: (rows) => [{ title: 'Toys', columns: ['a', 'b'], rows: rows.map(String).map((each) => [each, 'x|y']) }],
    goals: (rows) => [{ goal: 1, what: 'toys', limit: { atMost: 1 }, value: rows.length === 0 ? null : spread(0.75) }],
  };
  const origin = {
    date: '2026-01-02T03:04:05.000Z',
    machine: { cpu: 'CPU', cores: 2, memoryGB: 8, system: 'Linux 6' },
    versions: { node: 'v20.1.0', libtorch: '2.13.0', peers: { python: '3.11.7', torch: '2.13.0' } },
    commit: { hash: 'abcdef0123456789', dirty: true },
  };
  const page = performancePage([{ benchmark, result: { name: 'toy', origin, rows: ['row'] } }]);
  expect(page).toContain('| toys | ≤ 1 | 0.750 (0.650 – 0.850) | met | `toy` | 2026-01-02 at abcdef01+ |');
  expect(page).toContain('npm run bench -- toy');
  expect(page).toContain('2026-01-02, commit abcdef012345 with changes; CPU, 2 cores, 8 GB, Linux 6;');
  expect(page).toContain('Node 20.1.0, libtorch 2.13.0; python 3.11.7, torch 2.13.0.');
  expect(page).toContain('| row | x\\|y |');
  const unmeasured = performancePage([{ benchmark, result: null }]);
  expect(unmeasured).toContain('| toys | ≤ 1 | – | not measured | `toy` | – |');
  expect(unmeasured).toContain('Not measured.');
});

test('tables in Markdown and for the terminal', () => {
  const toys = { title: 'Toys', columns: ['name', 'ms'], rows: [['long name', '1']] };
  expect(table(toys)).toBe('| name | ms |\n| --- | --- |\n| long name | 1 |\n');
  expect(plainTable(toys)).toBe('Toys\n  name       ms\n  long name  1');
});
