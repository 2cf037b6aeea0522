import { describe, expect, test } from 'vitest';
import { type Command, interleave, reasonOf, runJson } from '../../bench/interleave.js';

const node = (source: string): Command => [process.execPath, '-e', source];

describe('runJson', () => {
  test('reads the last line, whatever came before it', () => {
    expect(runJson(node('console.log(\'warming up\\n{"a": 1}\')'))).toEqual({ a: 1 });
  });

  test('adds to the environment', () => {
    const command = node('console.log(JSON.stringify([process.env.BENCH_TEST, process.env.PATH]))');
    expect(runJson(command, { env: { BENCH_TEST: 'yes' } })).toEqual(['yes', process.env.PATH]);
  });

  test('tells what a program wrote before it failed', () => {
    const failing = node("console.error('no such device'); process.exit(3)");
    expect(() => runJson(failing)).toThrow(/ended with 3:\nno such device/);
  });

  test('ends a program that takes too long', () => {
    expect(() => runJson(node('setInterval(() => {}, 1000)'), { timeoutMs: 200 })).toThrow(/ETIMEDOUT/);
  });

  test('says which program cannot be started', () => {
    expect(() => runJson(['no-such-program-here'])).toThrow(/no-such-program-here: .*ENOENT/);
  });
});

describe('interleave', () => {
  test('takes turns: A B C, A B C', () => {
    const order: string[] = [];
    const contender = (name: string) => ({
      run: () => {
        order.push(name);
        return { ms: order.length };
      },
    });
    const [a, b, c] = interleave([contender('a'), contender('b'), contender('c')], 2);
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
    expect(a?.rounds).toEqual([{ ms: 1 }, { ms: 4 }]);
    expect(b?.rounds).toEqual([{ ms: 2 }, { ms: 5 }]);
    expect(c).toEqual({ rounds: [{ ms: 3 }, { ms: 6 }], failure: null });
  });

  test('leaves a peer out that fails, with the reason, and goes on with the others', () => {
    let calls = 0;
    const failing = {
      run: () => {
        calls += 1;
        throw new Error('Traceback\n  in step\nRuntimeError: no compiler\n');
      },
    };
    const fine = { run: () => ({ ms: 1 }) };
    const [ours, peer, other] = interleave([fine, failing, fine], 3);
    expect(calls).toBe(1);
    expect(peer).toEqual({ rounds: [null, null, null], failure: 'RuntimeError: no compiler' });
    expect(ours?.rounds.length).toBe(3);
    expect(other?.rounds).toEqual([{ ms: 1 }, { ms: 1 }, { ms: 1 }]);
  });

  test('throws what ours throws', () => {
    const failing = {
      run: () => {
        throw new Error('ours is broken');
      },
    };
    expect(() => interleave([failing, { run: () => ({ ms: 1 }) }], 1)).toThrow('ours is broken');
  });

  test('the reason of what is no error is its text', () => {
    expect(reasonOf('first\nlast\n\n')).toBe('last');
  });
});
