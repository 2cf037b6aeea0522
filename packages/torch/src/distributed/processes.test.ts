import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { runRanks, startRanks } from '../../../../tests/support/ranks.js';

// The processes run what is built.
const compiler = fileURLToPath(new URL('../../../../node_modules/typescript/bin/tsc', import.meta.url));
beforeAll(() => {
  execFileSync(process.execPath, [compiler, '-b', fileURLToPath(new URL('../..', import.meta.url))]);
});

const connect = `
const group = await torch.initProcessGroup({ rank, size, master: { host: '127.0.0.1', port }, timeoutMs: 4000 });`;

describe('synchronised batch norm', () => {
  // Rank 0 has 3 of the 8 rows. The channels' means are large beside their spread.
  const program = `${connect}
const g = new torch.Generator('cpu', 7);
const all = torch.randn([8, 5, 4, 3], { generator: g }).mul(torch.tensor([1, 2, 0.5, 1, 3]).view([1, 5, 1, 1])).add(30);
const upstream = torch.randn([8, 5, 4, 3], { generator: g });
const make = () => ({
  weight: torch.tensor([1, 0.5, -2, 3, 0.1], { requiresGrad: true }), bias: torch.tensor([0, 1, 2, 3, 4], { requiresGrad: true }),
  runningMean: torch.zeros([5]), runningVar: torch.ones([5]),
});
const norm = { momentum: 0.1, eps: 1e-5 };
// One process that has all rows: libtorch's own.
const one = make();
const x = all.clone().requiresGrad_();
const y = torch.ops.aten.batch_norm(x, one.weight, one.bias, one.runningMean, one.runningVar, true, 0.1, 1e-5, true);
y.mul(upstream).sum().backward();
const [from, rows] = rank === 0 ? [0, 3] : [3, 5];
const part = (t) => t.narrow(0, from, rows);
const mine = make();
const own = part(all).clone().requiresGrad_();
const ownY = torch.syncBatchNorm(own, { group, ...mine, ...norm });
ownY.mul(part(upstream)).sum().backward();
await group.allReduce([mine.weight.grad, mine.bias.grad]).wait();
const off = (a, b) => a.sub(b).abs().max().item() / b.abs().max().item();
const still = torch.syncBatchNorm(own.detach(), { group, ...mine, runningMean: null, runningVar: null, ...norm });
// Half precision, with weights in single precision, as under autocast.
const half = all.to('bfloat16');
const halfX = part(half).clone().requiresGrad_();
const halfY = torch.syncBatchNorm(halfX, { group, ...make(), ...norm });
halfY.sum().backward();
const wantedHalf = torch.ops.aten.batch_norm(half, one.weight, one.bias, null, null, true, 0.1, 1e-5, true);
if (halfY.dtype !== 'bfloat16' || halfX.grad.dtype !== 'bfloat16' || off(halfY.to('float32'), part(wantedHalf).to('float32')) > 0.01) throw new Error('bfloat16');
say({
  y: off(ownY, part(y)), x: off(own.grad, part(x.grad)), weight: off(mine.weight.grad, one.weight.grad), bias: off(mine.bias.grad, one.bias.grad),
  mean: off(mine.runningMean, one.runningMean), variance: off(mine.runningVar, one.runningVar), still: off(still, part(y)),
});
await group.close();`;

  test('is that of one process with all rows, forward, backward and in what it remembers', async () => {
    for (const said of await runRanks(2, program)) {
      for (const [name, off] of Object.entries(said as Record<string, number>)) {
        expect(off, name).toBeLessThan(name === 'x' ? 5e-6 : 1e-6);
      }
    }
  });

  test('a gradient with a graph, layers that differ and a closed group are refused', async () => {
    const [first] = await runRanks(
      2,
      `${connect}
const x = torch.ones([1, 2], { requiresGrad: true });
const four = torch.ones([4, 2]);
const norm = { group, weight: torch.ones([2]), bias: torch.zeros([2]), runningMean: null, runningVar: null, momentum: 0.1, eps: 1e-5 };
const y = torch.syncBatchNorm(x, norm);
const messages = [];
const attempt = (fn) => { try { fn(); } catch (error) { messages.push(error.message); } };
attempt(() => torch.grad(y.sum(), x, { createGraph: true }));
attempt(() => torch.syncBatchNorm(four, { ...norm, layer: 3 + rank }));
attempt(() => torch.syncBatchNorm(x, { ...norm, weight: torch.ones([3]) }));
attempt(() => torch.syncBatchNorm(torch.ones([2]), norm));
await group.close();
attempt(() => torch.syncBatchNorm(x, norm));
say(messages);`,
    );
    expect(first).toEqual([
      expect.stringContaining('sync_batch_norm: expected a backward pass without createGraph'),
      expect.stringContaining(
        'sync_batch_norm: expected the same on all ranks, got sync_batch_norm of float64[5] here and something else on another - drop blocks on all ranks at once',
      ),
      expect.stringContaining('sync_batch_norm: expected a weight and a bias [2], got float32[3]'),
      expect.stringContaining('sync_batch_norm: expected a dense floating point x [B, C, …], got float32[2]'),
      expect.stringContaining('expected an open process group, got one that was closed'),
    ]);
  });
});

describe('a process that dies', () => {
  const program = `${connect}
const weights = [0, 1, 2].map(() => torch.ones([50, 50], { requiresGrad: true }));
const reducer = group.reducer(weights);
try {
  for (let step = 0; ; step++) torch.scope(() => {
    torch.clearGrads(weights);
    reducer.beginStep();
    weights.reduce((sum, each) => sum.add(each.pow(2).sum()), torch.zeros([])).backward();
    reducer.finishStep();
    if (step === 20) say('training');
  });
} catch (error) {
  say(error.message);
  process.exit(1);
}`;

  test.each([
    [1, 3, 'SIGKILL'],
    [0, 2, 'SIGKILL'],
    [2, 3, 'SIGSTOP'],
  ] as const)('rank %i of %i, by %s: the others end in time and name it', async (dead, size, signal) => {
    const ranks = await startRanks(size, program);
    await Promise.all(ranks.map((rank) => rank.saying('training')));
    const killed = performance.now();
    ranks[dead]?.process.kill(signal);
    const others = await Promise.all(ranks.filter((_, rank) => rank !== dead).map(({ end }) => end));
    expect(performance.now() - killed).toBeLessThan(20_000);
    ranks[dead]?.process.kill('SIGKILL');
    await ranks[dead]?.end;
    for (const { code, said, stderr } of others) {
      expect(said).toMatch(
        new RegExp(
          `^(finishStep|backward): expected all ${size} ranks, got (no sign of life from|the connection to) rank ${dead}\\b`,
        ),
      );
      expect(said).toContain('start the job again from its last checkpoint');
      expect([code, stderr]).toEqual([1, '']);
    }
  });
});

test('a process that forgets to close ends all the same', async () => {
  const ends = await Promise.all(
    (await startRanks(2, `${connect} await group.allReduce(torch.ones([2])).wait(); say('over');`)).map(
      ({ end }) => end,
    ),
  );
  expect(ends.map(({ code, said, stderr }) => [code, said, stderr])).toEqual([
    [0, 'over', ''],
    [0, 'over', ''],
  ]);
});
