import { zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import type { BatchSource } from '../data/index.js';
import { Feed } from './feed.js';

/** A source that is read from somewhere slow, and says what it is asked. */
function slow(length: number, said: string[], failing = -1): BatchSource {
  return {
    length,
    at(i) {
      said.push(`at ${i}`);
      return { inputs: zeros([1]), targets: zeros([1]), indices: Uint32Array.of(i), size: 1 };
    },
    async prepare(i) {
      said.push(`prepare ${i}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (i === failing) throw new Error(`no batch ${i}`);
    },
    async close() {
      said.push('close');
    },
  };
}

describe('Feed', () => {
  test('prepares each batch before it is read, and the next one while this one is worked on', async () => {
    const said: string[] = [];
    const feed = new Feed(slow(2, said));
    for (let i = 0; i < 2; i++) {
      await feed.ready(i);
      const { inputs, targets, indices } = feed.read(i);
      inputs.dispose();
      targets.dispose();
      expect([...indices]).toEqual([i]);
    }
    await feed.close();
    expect(said).toEqual(['prepare 0', 'at 0', 'prepare 1', 'prepare 1', 'at 1', 'close']);
  });

  test('measures what was waited, once', async () => {
    const feed = new Feed(slow(1, []));
    await feed.ready(0);
    // A timer of 20 ms may fire a little early.
    expect(feed.takeWaitedMs()).toBeGreaterThan(15);
    expect(feed.takeWaitedMs()).toBe(0);
  });

  test('what fails ahead of time is thrown when the batch is due, and not before', async () => {
    const feed = new Feed(slow(3, [], 1));
    await feed.ready(0);
    const { inputs, targets } = feed.read(0);
    inputs.dispose();
    targets.dispose();
    await new Promise((resolve) => setTimeout(resolve, 30));
    await expect(feed.ready(1)).rejects.toThrow('no batch 1');
  });

  test('a source in memory is not waited for', async () => {
    const { length, at } = slow(1, []);
    const feed = new Feed({ length, at });
    expect(feed.ready(0)).toBeUndefined();
    await feed.close();
  });
});
