import { expect, test } from 'vitest';
import { parseArguments } from '../../bench/arguments.js';

const known = ['dispatch', 'step'];

test('all benchmarks and both numbers of threads unless told', () => {
  expect(parseArguments([], known)).toEqual({
    ...{ names: known, threads: [1, 2] },
    ...{ json: false, quick: false, writeDocs: false, compile: false },
  });
});

test('names and flags in any order', () => {
  expect(parseArguments(['--quick', 'step', '--threads', '2', '--json'], known)).toEqual({
    ...{ names: ['step'], threads: [2] },
    ...{ json: true, quick: true, writeDocs: false, compile: false },
  });
});

test('the page alone runs nothing', () => {
  expect(parseArguments(['--write-docs'], known).names).toEqual([]);
  expect(parseArguments(['step', '--write-docs'], known)).toMatchObject({ names: ['step'], writeDocs: true });
});

test('a trial runs with two threads unless told', () => {
  expect(parseArguments(['--quick'], known).threads).toEqual([2]);
  expect(parseArguments(['--quick', '--threads', '1'], known).threads).toEqual([1]);
});

test('names everything that is unknown', () => {
  expect(() => parseArguments(['stepp', '--fast', '--threads', '3'], known)).toThrow(
    /^bench: expected names of dispatch, step and flags --json.*, got stepp, --fast, --threads 3$/,
  );
  expect(() => parseArguments(['--threads'], known)).toThrow(/got --threads$/);
});
