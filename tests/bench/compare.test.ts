import { expect, test } from 'vitest';
import { type Comparison, compare, comparisonGoal, comparisonTables, type Side } from '../../bench/comparison.js';
import type { Command } from '../../bench/interleave.js';

const context = { python: null, quick: true, compile: false, threads: [1], folder: '', tell: () => undefined };
const says = (figures: object): Command => [
  process.execPath,
  '-e',
  `console.log(${JSON.stringify(JSON.stringify(figures))})`,
];

function compared(figures: object, peers: readonly Side[]): Comparison[] {
  return compare(context, { work: 'toy', threads: 1, ours: { command: says(figures) }, peers, rounds: 2 });
}

test('a row for each figure and peer, with the ratio of the pairs', () => {
  const peer = { name: 'peer', command: says({ a: 4, b: 1 }), note: 'fused' };
  const rows = compared({ a: 1, b: 2 }, [peer, { ...peer, name: 'other' }]);
  expect(rows.map(({ figure, peer: name, ratio }) => [figure, name, ratio?.median])).toEqual([
    ['a', 'peer', 0.25],
    ['a', 'other', 0.25],
    ['b', 'peer', 2],
    ['b', 'other', 2],
  ]);
  expect(rows[0]).toMatchObject({ ours: { median: 1, count: 2 }, theirs: { median: 4 }, note: 'fused', threads: 1 });
});

test('says why a peer has no figure: none here, one that failed, one that gave up', () => {
  const broken: Command = [process.execPath, '-e', "throw new Error('broken peer')"];
  const rows = compared({ ms: 1 }, [
    { name: 'absent', command: null },
    { name: 'broken', command: broken },
    { name: 'compiled', command: says({ failed: 'did not compile: no g++' }), note: 'compile' },
  ]);
  expect(rows.map(({ note }) => note)).toEqual([
    'skipped: no Python with torch',
    expect.stringMatching(/Node\.js v|broken peer/),
    'did not compile: no g++; compile',
  ]);
  for (const { ours, theirs, ratio } of rows) expect([ours?.median, theirs, ratio]).toEqual([1, null, null]);
});

test('refuses a peer whose network is another one', () => {
  const peers = [{ name: 'peer', command: says({ ms: 1, parameters: 11 }) }];
  expect(() => compared({ ms: 1, parameters: 10 }, peers)).toThrow(
    'toy: expected peer to have 10 parameters as ours, got 11',
  );
  expect(compared({ ms: 1, parameters: 11 }, peers).map(({ figure }) => figure)).toEqual(['ms']);
});

test('tables by threads, and the line of a goal', () => {
  const rows = compared({ ms: 1 }, [{ name: 'peer', command: says({ ms: 2 }) }]);
  const [one, two] = comparisonTables('Toys', [...rows, ...rows.map((row) => ({ ...row, threads: 2 }))]);
  expect([one?.title, two?.title]).toEqual(['Toys, 1 thread', 'Toys, 2 threads']);
  expect(one?.rows).toEqual([
    ['toy', 'ms', '1.00 (1.00 – 1.00)', 'peer', '2.00 (2.00 – 2.00)', '0.500 (0.500 – 0.500)', ''],
  ]);
  const line = { goal: 1, what: 'toys', limit: { atMost: 1 } };
  expect(comparisonGoal(rows, { figure: 'ms', peer: 'peer' }, line).value?.median).toBe(0.5);
  expect(comparisonGoal(rows, { figure: 'other' }, line)).toEqual({ ...line, value: null });
});
