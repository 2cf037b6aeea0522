import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A port of this machine that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** How a process that stands for a rank ended. */
export interface RankEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout, from JSON; null where it is none. */
  readonly said: unknown;
}

/** A rank that runs. */
export interface RunningRank {
  readonly process: ChildProcess;
  /** Resolves when its stdout holds the text. */
  saying(text: string): Promise<void>;
  readonly end: Promise<RankEnd>;
}

/** What is built: processes do not run TypeScript. */
export const builtPackage = (path: string): string => new URL(`../../packages/${path}`, import.meta.url).href;

/**
 * Starts a process a rank, each running the module `program` in an environment as torchrun makes it. Programs find `torch`
 * imported; `node_modules` of this repository are theirs.
 */
export async function startRanks(
  size: number,
  program: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningRank[]> {
  const port = await freePort();
  const source = `const torch = await import(${JSON.stringify(builtPackage('torch/dist/index.js'))});
const { RANK: rank, WORLD_SIZE: size, MASTER_PORT: port } = Object.fromEntries(
  ['RANK', 'WORLD_SIZE', 'MASTER_PORT'].map((name) => [name, Number(process.env[name])]),
);
const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
${program}`;
  return Array.from({ length: size }, (_, rank) =>
    running(
      spawn(process.execPath, ['--input-type=module', '-e', source], {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          OMP_NUM_THREADS: '1',
          RANK: String(rank),
          WORLD_SIZE: String(size),
          LOCAL_RANK: String(rank),
          MASTER_ADDR: '127.0.0.1',
          MASTER_PORT: String(port),
          ...env,
        },
      }),
    ),
  );
}

/** Runs a program on so many ranks and gives what each said last; throws where one failed. */
export async function runRanks(
  size: number,
  program: string,
  env: Readonly<Record<string, string>> = {},
): Promise<unknown[]> {
  const ranks = await startRanks(size, program, env);
  const ends = await Promise.all(ranks.map(({ end }) => end));
  for (const [rank, { code, stdout, stderr }] of ends.entries()) {
    if (code !== 0) throw new Error(`rank ${rank} ended with ${code}\n${stdout}${stderr}`);
  }
  return ends.map(({ said }) => said);
}

function running(process: ChildProcess): RunningRank {
  let [stdout, stderr] = ['', ''];
  const waiting = new Set<() => void>();
  process.stdout?.on('data', (data) => {
    stdout += data;
    for (const each of waiting) each();
  });
  process.stderr?.on('data', (data) => {
    stderr += data;
  });
  const end = new Promise<RankEnd>((resolve) => {
    process.once('close', (code) => resolve({ code, stdout, stderr, said: lastLine(stdout) }));
  });
  const saying = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!stdout.includes(text)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      void end.then(({ stderr: said }) => reject(new Error(`expected '${text}' before the end\n${said}`)));
    });
  return { process, saying, end };
}

function lastLine(stdout: string): unknown {
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  } catch {
    return null;
  }
}
