// Runs `scale-processes` as so many processes. Arguments: how many, then its own. Prints what the slowest of them measured.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const [count, ...args] = process.argv.slice(2);
const size = Number(count);
const program = fileURLToPath(new URL('scale-processes.js', import.meta.url));

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function start(rank: number, port: number): Promise<number> {
  const master = { MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) };
  const ranks = { RANK: String(rank), WORLD_SIZE: String(size), LOCAL_RANK: String(rank), ...master };
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: '1', ...(size === 1 ? {} : ranks) },
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => {
      if (code === 0) resolve((JSON.parse(said.trim().split('\n').at(-1) ?? '') as { readonly ms: number }).ms);
      else reject(new Error(`rank ${rank} ended with ${code}`));
    });
  });
}

const port = await freePort();
const times = await Promise.all(Array.from({ length: size }, (_, rank) => start(rank, port)));
console.log(JSON.stringify({ ms: Math.max(...times) }));
