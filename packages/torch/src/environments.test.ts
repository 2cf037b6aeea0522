import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';

// Workers and children run what is built.
const built = new URL('../dist/index.js', import.meta.url).href;
const compiler = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url));
beforeAll(() => {
  execFileSync(process.execPath, [compiler, '-b', fileURLToPath(new URL('..', import.meta.url))]);
});

/** Runs a program in a process of its own, with more in its environment. */
function run(
  program: string,
  { env = {}, flags = [] }: { env?: Record<string, string>; flags?: string[] } = {},
): { readonly output: string; readonly ended: string } {
  const source = `const torch = await import(${JSON.stringify(built)});\n${program}`;
  const child = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', source], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
  });
  return { output: child.stdout.trim(), ended: `${child.status ?? child.signal} ${child.stderr}` };
}

const inWorkers = (body: string, finish: string): string => `
import { Worker } from 'node:worker_threads';
const body = ${JSON.stringify(`
Promise.all([import('node:worker_threads'), import(${JSON.stringify(built)})]).then(([{ parentPort }, torch]) => { ${body} });
`)};
const workers = [0, 1].map(() => new Worker(body, { eval: true }));
${finish}`;

test('two workers at once have tensors of their own', () => {
  const { output, ended } = run(
    inWorkers(
      `const g = new torch.Generator('cpu', 1);
       const sums = [];
       for (let i = 0; i < 200; i++) torch.scope(() => { const x = torch.randn([8, 8], { generator: g, requiresGrad: true }); x.matmul(x).sum().backward(); sums.push(x.grad.sum().item()); });
       parentPort.postMessage(JSON.stringify({ live: torch.stats().liveTensors, last: sums.at(-1) }));`,
      `const said = await Promise.all(workers.map((w) => new Promise((resolve, reject) => w.once('message', resolve).once('error', reject))));
       const mine = torch.ones([3]);
       await Promise.all(workers.map((w) => w.terminate()));
       console.log(said[0] === said[1], said[0].startsWith('{"live":0,'), mine.sum().item());`,
    ),
  );
  expect(output, ended).toBe('true true 3');
});

test('a worker can be ended in the middle of its work', () => {
  const { output, ended } = run(
    inWorkers(
      `parentPort.postMessage('ready'); for (;;) torch.scope(() => torch.randn([32, 32]).matmul(torch.randn([32, 32])));`,
      `await Promise.all(workers.map((w) => new Promise((resolve) => w.once('message', resolve))));
       await new Promise((resolve) => setTimeout(resolve, 100));
       await Promise.all(workers.map((w) => w.terminate()));
       console.log(torch.ones([2]).sum().item());`,
    ),
  );
  expect(output, ended).toBe('2');
});

test('forgotten tensors are freed, as the collector knows of their bytes', () => {
  const { output, ended } = run(
    `let most = 0;
     for (let i = 0; i < 1000; i++) {
       torch.ones([250_000]);
       most = Math.max(most, torch.stats().liveTensors);
       await new Promise((resolve) => setImmediate(resolve));
     }
     const grown = most < 500;
     for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setImmediate(resolve)); }
     console.log(grown, torch.stats().liveTensors);`,
    { flags: ['--expose-gc'] },
  );
  expect(output, ended).toBe('true 0');
});

test('importing the package loads no libtorch', () => {
  const { output, ended } = run(
    `const { readFileSync } = await import('node:fs'); console.log(readFileSync('/proc/self/maps', 'utf8').includes('libtorch'));`,
  );
  expect(output, ended).toBe('false');
});

test.runIf(process.platform === 'linux')('memory of freed tensors is kept for the next ones until emptyCache', () => {
  const { output, ended } = run(`
    const resident = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
    torch.ones([1]).dispose();
    const before = resident();
    torch.ones([2 ** 25]).dispose();
    torch.ones([2 ** 25]).dispose();
    const kept = resident() - before;
    torch.emptyCache();
    console.log(kept > 100, resident() - before < 30);
  `);
  expect(output, ended).toBe('true true');
});

test.runIf(process.platform === 'linux')('blocks of other sizes take the place of those that are kept', () => {
  const { output, ended } = run(`
    const resident = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
    torch.ones([1]).dispose();
    const before = resident();
    // One after the other: 128 MB at most, and together 1088.
    for (let mb = 128; mb > 0; mb -= 8) torch.ones([(mb * 2 ** 20) / 4]).dispose();
    console.log(resident() - before < 128 + 16 + 30);
    // A block that an eighth is left of is one that fits.
    torch.emptyCache();
    torch.ones([2 ** 25]).dispose();
    const faults = process.resourceUsage().minorPageFault;
    torch.ones([2 ** 25 - 2 ** 21]).dispose();
    console.log(process.resourceUsage().minorPageFault - faults < 1000);
  `);
  expect(output, ended).toBe('true\ntrue');
});

test.runIf(process.platform === 'linux')('settings of the user for freed memory stand: nothing is kept', () => {
  const { output, ended } = run(
    `
    const resident = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
    torch.ones([1]).dispose();
    const before = resident();
    torch.ones([2 ** 25]).dispose();
    console.log(resident() - before < 30);
  `,
    { env: { MALLOC_TRIM_THRESHOLD_: '0' } },
  );
  expect(output, ended).toBe('true');
});

test('console.log prints a tensor as PyTorch does', () => {
  expect(run(`console.log(torch.tensor([[1, 2.5], [3, 4]]));`).output).toBe(
    'tensor([[1.0000, 2.5000],\n        [3.0000, 4.0000]])',
  );
});
