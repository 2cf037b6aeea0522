import { expect, test } from 'vitest';
import type { BlockRequest } from './block.js';
import { ReadAhead } from './read-ahead.js';
import { Threads } from './threads.js';

const requests = (...numbers: number[]): BlockRequest[] => numbers.map((number) => ({ number, files: [] }));

function reader(fail: (number: number) => boolean = () => false) {
  const read: number[] = [];
  const ahead = new ReadAhead(new Threads({ kind: 'pictures', size: 8 }), 0, async ({ number }) => {
    read.push(number);
    if (fail(number)) throw new Error(`block ${number}`);
    return { inputs: Uint8Array.of(number), targets: null };
  });
  return { ahead, read };
}

test('holds what is wanted and no more, and reads each block once, in order', async () => {
  const { ahead, read } = reader();
  ahead.want(requests(0, 1, 2));
  await ahead.ready(requests(0));
  ahead.want(requests(1, 2, 3));
  ahead.want(requests(2, 3, 4));
  await ahead.ready(requests(2, 3, 4));
  expect(read).toEqual([0, 1, 2, 3, 4]);
  expect(ahead.size).toBe(3);
  expect(ahead.take(requests(4, 2)).map(({ inputs }) => inputs[0])).toEqual([4, 2]);
  ahead.want(requests(0));
  await ahead.ready(requests(0));
  expect([read.at(-1), ahead.size]).toEqual([0, 1]);
  ahead.close();
  expect(ahead.size).toBe(0);
});

test('a block that fails ahead of time fails when it is asked for, not before', async () => {
  const { ahead } = reader((number) => number === 1);
  ahead.want(requests(0, 1));
  await ahead.ready(requests(0));
  // A turn of the event loop, in which an unhandled rejection would end the process.
  await new Promise((resolve) => setImmediate(resolve));
  expect(ahead.take(requests(0)).length).toBe(1);
  await expect(ahead.ready(requests(1))).rejects.toThrow('block 1');
  expect(() => ahead.take(requests(1))).toThrow('block 1');
});
