import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../../../tests/support/ranks.js';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import {
  Generator,
  initProcessGroup,
  Operator,
  type ProcessGroup,
  randn,
  stats,
  type Tensor,
  tensor,
  type Work,
  zeros,
} from '../index.js';

/** All ranks of a group, in this process: nothing here blocks. */
async function ranks(size: number, timeoutMs = 60_000): Promise<ProcessGroup[]> {
  const port = await freePort();
  return Promise.all(
    Array.from({ length: size }, (_, rank) =>
      initProcessGroup({ rank, size, master: { host: '127.0.0.1', port }, timeoutMs }),
    ),
  );
}

describe('three ranks', () => {
  let groups: ProcessGroup[];
  beforeAll(async () => {
    groups = await ranks(3);
  });
  afterAll(async () => {
    await Promise.all(groups.map((group) => group.close()));
  });

  const all = async (start: (group: ProcessGroup, rank: number) => { wait(): Promise<void> }): Promise<void> => {
    await Promise.all(groups.map((group, rank) => start(group, rank).wait()));
  };

  test('allReduce gives every rank the same bits', async () => {
    const given = groups.map((_, rank) => randn([1001], { generator: new Generator('cpu', rank) }));
    const expected = {
      sum: given.reduce((sum, each) => sum.add(each)),
      avg: given.reduce((sum, each) => sum.add(each)).div(3),
      max: given.reduce((most, each) => most.maximum(each)),
      min: given.reduce((least, each) => least.minimum(each)),
    };
    for (const operation of ['sum', 'avg', 'max', 'min'] as const) {
      const own = given.map((each) => each.clone());
      await all((group, rank) => group.allReduce(own[rank] as Tensor, operation));
      for (const each of own) {
        expect(each.toBytes()).toEqual(own[0]?.toBytes());
        expect(each.sub(expected[operation]).abs().max().item()).toBeLessThan(1e-6);
      }
    }
  });

  test('tensors keep their memory layout, dtype and place', async () => {
    for (const dtype of ['float64', 'float16', 'bfloat16', 'int64', 'int32', 'int8', 'uint8'] as const) {
      const own = groups.map((_, rank) => tensor([rank, 1, 2, 3], { dtype }));
      await all((group, rank) => group.allReduce(own[rank] as Tensor));
      for (const each of own) expect([...each.to('float32').toArray()]).toEqual([3, 3, 6, 9]);
    }
    const wide = groups.map((_, rank) =>
      tensor([
        [rank, 1],
        [2, 3],
      ]),
    );
    const columns = wide.map((each) => each.t());
    await all((group, rank) => group.allReduce([columns[rank] as Tensor]));
    for (const each of wide) expect([...each.toArray()]).toEqual([3, 3, 6, 9]);
  });

  test('broadcast, allGather, reduceScatter and barrier', async () => {
    const own = groups.map((_, rank) => tensor([rank, rank * 10]));
    await all((group, rank) => group.broadcast(own[rank] as Tensor, 2));
    for (const each of own) expect([...each.toArray()]).toEqual([2, 20]);

    const outputs = groups.map(() => groups.map(() => zeros([2])));
    await all((group, rank) => group.allGather(outputs[rank] as Tensor[], tensor([rank, -rank])));
    for (const each of outputs)
      expect(each.map((one) => [...one.toArray()])).toEqual([
        [0, -0],
        [1, -1],
        [2, -2],
      ]);

    const parts = groups.map(() => zeros([2]));
    await all((group, rank) =>
      group.reduceScatter(
        parts[rank] as Tensor,
        [0, 1, 2].map((to) => tensor([rank, 100 * to])),
      ),
    );
    expect(parts.map((one) => [...one.toArray()])).toEqual([
      [3, 0],
      [3, 300],
      [3, 600],
    ]);

    const order: string[] = [];
    const first = (groups[0] as ProcessGroup)
      .barrier()
      .wait()
      .then(() => order.push('first'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    order.push('last comes');
    await Promise.all([first, groups[1]?.barrier().wait(), groups[2]?.barrier().wait()]);
    expect(order).toEqual(['last comes', 'first']);
  });

  test('another group of the same ranks has an order of its own', async () => {
    const others = await Promise.all(groups.map((group) => group.newGroup()));
    const [mine, theirs] = [groups.map(() => tensor([1])), groups.map(() => tensor([5]))];
    await Promise.all(
      groups.flatMap((group, rank) => {
        const start = [
          () => group.allReduce(mine[rank] as Tensor).wait(),
          () => (others[rank] as ProcessGroup).allReduce(theirs[rank] as Tensor).wait(),
        ];
        return (rank === 1 ? start.reverse() : start).map((each) => each());
      }),
    );
    expect([...mine, ...theirs].map((each) => each.item())).toEqual([3, 3, 3, 15, 15, 15]);
    await Promise.all(others.map((group) => group.close()));
  });

  test('operations in flight keep their tensors, and free them', async () => {
    const before = await settledTensors();
    for (let i = 0; i < 20; i++) {
      await all((group) => {
        const own = tensor([1, 2, 3]);
        const work = group.allReduce(own);
        own.dispose();
        return work;
      });
    }
    expect(stats().liveTensors).toBe(before);
  });

  test('a work can be asked, waited for twice, and not both ways', async () => {
    const own = groups.map(() => tensor([1]));
    const works = groups.map((group, rank) => group.allReduce(own[rank] as Tensor));
    works[0]?.waitSync();
    expect(works[0]?.done).toBe(true);
    works[0]?.waitSync();
    await works[0]?.wait();
    await works[1]?.wait();
    await works[1]?.wait();
    expect(() => works[1]?.waitSync()).toThrow('waitSync: expected an operation that nobody waits for');
    await works[2]?.wait();
  });

  test('mistakes are refused before anything is sent', async () => {
    const group = groups[0] as ProcessGroup;
    expect(() => group.allReduce([])).toThrow('allReduce: expected tensors, got none');
    expect(() => group.allReduce(tensor([true]))).toThrow('got bool[1] - convert with .to(dtype)');
    expect(() => group.allReduce(tensor([1], { dtype: 'int64' }), 'avg')).toThrow(
      "expected floating point tensors for 'avg'",
    );
    expect(() => group.allReduce(tensor([1]), 'mean' as never)).toThrow(
      'expected a reduction of sum, avg, max, min, got mean',
    );
    expect(() => group.broadcast(tensor([1]), 3)).toThrow('expected a rank from 0 to 2, got 3');
    expect(() => group.allGather([zeros([1])], zeros([1]))).toThrow('expected 3 outputs, one a rank, got 1');
    expect(() => group.allGather([zeros([1]), zeros([2]), zeros([1])], zeros([1]))).toThrow(
      'expected outputs like the input, float32[1], got float32[2]',
    );
    expect(() => group.allReduce('x' as never)).toThrow(
      'allReduce: expected a tensor or a list of at most 1000000 tensors, got a string',
    );
    await expect(group.newGroup('mpi' as never)).rejects.toThrow('newGroup: backend: expected gloo');
    const [x, c] = [zeros([2, 1]), zeros([1])];
    expect(() => new Operator('shallows::sync_batch_norm').call([x, c, c, null, null, 0.1, 1e-5, 1e6, 0])).toThrow(
      'expected the number of an open process group, got 1000000',
    );
    const gone = tensor([1]);
    gone.dispose();
    expect(() => group.allReduce(gone)).toThrow('disposed');
  });
});

describe('a group that breaks', () => {
  test('an operation that one rank never starts names that rank, and all others fail with it', async () => {
    const [a, b] = (await ranks(2, 1500)) as [ProcessGroup, ProcessGroup];
    const started = performance.now();
    const works = [a.allReduce(tensor([1])), a.barrier()];
    await expect(works[0]?.wait()).rejects.toThrow(
      /^allReduce: expected all 2 ranks, got nothing from rank 1, alive but behind with 0 of 2 operations - let all ranks do the same/,
    );
    await expect(works[1]?.wait()).rejects.toThrow('barrier: expected all 2 ranks, got nothing from rank 1');
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(() => a.allReduce(tensor([1]))).toThrow('got nothing from rank 1');
    await Promise.all([a.close(), b.close()]);
    expect(() => a.barrier()).toThrow('barrier: expected an open process group, got a closed one - make another');
  });

  test('operations that differ fail on all ranks, and the next ones go on', async () => {
    const groups = (await ranks(2, 10_000)) as [ProcessGroup, ProcessGroup];
    const [a, b] = groups;
    const differing: readonly (readonly [first: () => Work, second: () => Work, what: string])[] = [
      [() => a.allReduce(zeros([3])), () => b.allReduce(zeros([4])), 'got allReduce of float32[3] here'],
      [() => a.allReduce(zeros([2, 3])), () => b.allReduce(zeros([3, 2])), 'got allReduce of float32[2, 3] here'],
      [() => a.allReduce(zeros([3]), 'max'), () => b.allReduce(zeros([3])), 'got allReduce of float32[3] here'],
      [
        () => a.allReduce(zeros([3])),
        () => b.allReduce(zeros([3], { dtype: 'float64' })),
        'got allReduce of float32[3] here',
      ],
      [() => a.broadcast(zeros([3])), () => b.broadcast(zeros([3]), 1), 'got broadcast of float32[3] here'],
      [() => a.barrier(), () => b.allReduce([zeros([1]), zeros([1])]), 'got barrier here'],
    ];
    for (const [first, second, what] of differing) {
      const works = [first(), second()];
      await expect(works[0]?.wait()).rejects.toThrow(
        `${what} and something else on another - let all ranks do the same`,
      );
      await expect(works[1]?.wait()).rejects.toThrow('expected the same on all ranks, got ');
    }
    const own = groups.map(() => tensor([1]));
    await Promise.all(groups.map((group, rank) => group.allReduce(own[rank] as Tensor).wait()));
    expect(own.map((each) => each.item())).toEqual([2, 2]);
    await Promise.all(groups.map((group) => group.close()));
  });

  test('a rank that gives up says why', async () => {
    const [a, b] = (await ranks(2, 10_000)) as [ProcessGroup, ProcessGroup];
    const waiting = a.allReduce(tensor([1])).wait();
    const failed = expect(waiting).rejects.toThrow(
      'allReduce: expected all ranks to go on, got an error on rank 1 - loss is NaN at batch 7',
    );
    await b.abort('loss is NaN at batch 7');
    await failed;
    await Promise.all([a.close(), b.close()]);
  });

  test('a rank that left is named', async () => {
    const [a, b] = (await ranks(2, 10_000)) as [ProcessGroup, ProcessGroup];
    const waiting = expect(a.allReduce(tensor([1])).wait()).rejects.toThrow(
      'allReduce: expected all 2 ranks, got none from rank 1, which left - let all ranks take the same number of steps',
    );
    await b.close();
    await waiting;
    await a.close();
  });

  test('ranks that do not come are named', async () => {
    const port = await freePort();
    const master = { host: '127.0.0.1', port };
    const [first, third] = await Promise.allSettled(
      [0, 2].map((rank) => initProcessGroup({ rank, size: 4, master, timeoutMs: 500 })),
    );
    const message = 'got nothing from ranks 1 and 3 - start them, or raise timeoutMs';
    expect(String(first?.status === 'rejected' && first.reason)).toContain(message);
    expect(String(third?.status === 'rejected' && third.reason)).toMatch(/ranks 1 and 3|to stay, got it lost/);
    await expect(initProcessGroup({ rank: 1, size: 2, master, timeoutMs: 500 })).rejects.toThrow(
      `initProcessGroup: expected the store at 127.0.0.1:${port}, got none in`,
    );
  });

  test('two processes with one rank, or with other sizes', async () => {
    const port = await freePort();
    const master = { host: '127.0.0.1', port };
    const first = initProcessGroup({ rank: 0, size: 2, master, timeoutMs: 5000 });
    const other = initProcessGroup({ rank: 1, size: 3, master, timeoutMs: 5000 });
    await expect(other).rejects.toThrow('expected 2 ranks, as rank 0 says, got 3 - give all of them the same size');
    const second = initProcessGroup({ rank: 1, size: 2, master, timeoutMs: 5000 });
    await second;
    await expect(initProcessGroup({ rank: 1, size: 2, master, timeoutMs: 5000 })).rejects.toThrow(
      'expected one process as rank 1, got a second one - give each its own rank, and each job its own port',
    );
    await Promise.all([(await first).close(), (await second).close()]);
  });

  test('a port that is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(
      initProcessGroup({ rank: 0, size: 1, master: { host: '127.0.0.1', port }, timeoutMs: 500 }),
    ).rejects.toThrow(`initProcessGroup: expected to listen on 127.0.0.1:${port}, got an error - choose a free port`);
    server.close();
  });
});

test.each([
  [{ rank: 2 }, 'rank: expected a whole number from 0 to 1, got 2 - number the processes from 0'],
  [{ size: 0 }, 'size: expected a whole number from 1 to 100000, got 0'],
  [{ size: Number.NaN }, 'size: expected a whole number from 1 to 100000, got NaN'],
  [{ master: { host: '', port: 1 } }, 'master.host: expected a name or an address, got ""'],
  [{ master: { host: 'x', port: 0 } }, 'master.port: expected a whole number from 1 to 65535, got 0'],
  [{ timeoutMs: 1 }, 'timeoutMs: expected a whole number from 100'],
  [{ backend: 'glo' }, 'backend: expected gloo'],
  [{ prefix: '' }, 'prefix: expected a name, got ""'],
] as const)('option %o', async (options, message) => {
  const good = { rank: 0, size: 2, master: { host: '127.0.0.1', port: 29_500 } };
  await expect(initProcessGroup({ ...good, ...options } as never)).rejects.toThrow(`initProcessGroup: ${message}`);
});
