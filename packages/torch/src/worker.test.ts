import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, test } from 'vitest';
import { Generator, randn, stats, tensor } from './index.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// Workers and child processes run what is built.
beforeAll(() => {
  execFileSync(process.execPath, [here('../../../node_modules/typescript/bin/tsc'), '-b', here('..')]);
});

const torch = new URL('../dist/index.js', import.meta.url).href;

function start(body: string): Worker {
  const code = `import { parentPort } from 'node:worker_threads'; import * as torch from '${torch}'; ${body}`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
}

function answer(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const ended = (worker: Worker): Promise<number> => new Promise((resolve) => worker.once('exit', resolve));

describe('worker threads', () => {
  test('compute, each with tensors of its own, two at once', async () => {
    const before = stats().liveTensors;
    const body = `
      const x = torch.randn([64, 64], { generator: new torch.Generator('cpu', 3) });
      let sum = 0;
      for (let i = 0; i < 50; i++) torch.scope(() => { sum = x.matmul(x).relu().sum().item(); });
      parentPort.postMessage({ sum, live: torch.stats().liveTensors });`;
    const workers = [start(body), start(body)];
    const exits = workers.map(ended);
    const answers = await Promise.all(workers.map(answer));
    expect(await Promise.all(exits)).toEqual([0, 0]);
    const x = randn([64, 64], { generator: new Generator('cpu', 3) });
    const sum = x.matmul(x).relu().sum().item();
    expect(answers).toEqual([
      { sum, live: 1 },
      { sum, live: 1 },
    ]);
    x.dispose();
    expect(stats().liveTensors).toBeLessThanOrEqual(before + 3);
  });

  test('gradients and noGrad of one do not reach the others', async () => {
    const worker = start(`
      torch.noGrad(() => {
        const a = torch.ones([1], { requiresGrad: true });
        parentPort.postMessage(a.mul(2).requiresGrad);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      });`);
    const exit = ended(worker);
    expect(await answer(worker)).toBe(false);
    expect(tensor([1], { requiresGrad: true }).mul(2).requiresGrad).toBe(true);
    expect(await exit).toBe(0);
  });

  test('can be terminated in the middle of their work, many times', async () => {
    for (let i = 0; i < 5; i++) {
      const worker = start(`
        const x = torch.randn([128, 128]).requiresGrad_();
        parentPort.postMessage('started');
        for (;;) torch.scope(() => { x.matmul(x).exp().sum().backward(); });`);
      expect(await answer(worker)).toBe('started');
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(await worker.terminate()).toBe(1);
    }
    expect(tensor([1, 2]).sum().item()).toBe(3);
  });

  test('hand errors on', async () => {
    const worker = start(`
      try { torch.zeros([2]).add(torch.zeros([3])); } catch (error) { parentPort.postMessage([error.name, error.message.split('\\n')[0]]); }`);
    const [name, message] = (await answer(worker)) as [string, string];
    expect(name).toBe('TorchError');
    expect(message).toContain('aten::add.Tensor');
  });
});

describe('the net below the scopes', () => {
  const run = (code: string): unknown =>
    JSON.parse(
      execFileSync(
        process.execPath,
        ['--expose-gc', '--input-type=module', '-e', `import * as torch from '${torch}'; ${code}`],
        {
          encoding: 'utf8',
        },
      ),
    );

  test('tensors that JavaScript forgot are freed after a collection', () => {
    const result = run(`
      for (let i = 0; i < 100; i++) torch.zeros([1000]);
      const generator = () => new torch.Generator('cpu', 1); for (let i = 0; i < 10; i++) generator();
      const kept = torch.ones([1]);
      const before = torch.stats().liveTensors;
      for (let i = 0; i < 5; i++) { gc(); await new Promise((done) => setTimeout(done, 20)); }
      console.log(JSON.stringify({ before, after: torch.stats().liveTensors, kept: kept.item() }));`);
    expect(result).toEqual({ before: 101, after: 1, kept: 1 });
  });

  test('a loop that yields now and then stays small without any scope', () => {
    const result = run(`
      let most = 0;
      for (let i = 0; i < 300; i++) {
        for (let k = 0; k < 10; k++) torch.zeros([256, 1024]);
        await new Promise((done) => setImmediate(done));
        most = Math.max(most, torch.stats().bytes);
      }
      console.log(JSON.stringify({ most }));`) as { most: number };
    // 3,000 tensors of 1 MB were made: the collector is told of their bytes and runs in time.
    expect(result.most).toBeLessThan(1e9);
  });
});
