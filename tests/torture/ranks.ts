import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { RankOptions, RankResult } from './rank.js';

// The same program, seen from what is built and from the source.
const program = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './dist/rank.js' : './rank.js', import.meta.url),
);

/** How one rank ended. */
export interface RankEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** Null where it did not reach its end. */
  readonly result: RankResult | null;
  readonly stderr: string;
}

/** Trains on so many processes of this machine; in one process, without a group, where `size` is 1. */
export async function trainOnRanks(
  size: number,
  options: RankOptions,
  say: (line: string) => void = () => undefined,
): Promise<readonly RankEnd[]> {
  const port = await freePort();
  return Promise.all(
    Array.from({ length: size }, (_, rank) => {
      const { RANK: _rank, WORLD_SIZE: _size, ...env } = process.env;
      const ranks = { RANK: String(rank), WORLD_SIZE: String(size), LOCAL_RANK: String(rank) };
      const master = { MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) };
      const child = spawn(process.execPath, [program, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...env,
          OMP_NUM_THREADS: '1',
          OMP_WAIT_POLICY: 'passive',
          ...(size === 1 ? {} : { ...ranks, ...master }),
        },
      });
      return endOf(child, (line) => say(`[rank ${rank}] ${line}`));
    }),
  );
}

/** What a training on several ranks said; throws where a rank failed. */
export function resultsOf(ends: readonly RankEnd[]): RankResult[] {
  return ends.map(({ code, signal, result, stderr }, rank) => {
    if (code === 0 && result !== null) return result;
    throw new Error(`rank ${rank} ended with ${code ?? signal}:\n${stderr}`);
  });
}

/** What came of many steps with ranks that are held up at random. */
export interface RanksTally {
  readonly steps: number;
  readonly ranks: number;
  readonly seconds: number;
  /** Bytes that were not sent, as a share of those of all gradients. */
  readonly notSent: number;
  /** Share of the gradients' bytes that the plans of all ranks leave out. */
  readonly dropped: number;
  /** Whether all ranks ended with the same weights, bit for bit. */
  readonly equal: boolean;
}

/**
 * Trains a network on several ranks for many steps, each of which may be slept through for a while on any rank, with half of
 * the blocks dropped: nothing may hang, and all ranks must end with one set of weights.
 *
 * @throws Error where a rank fails
 */
export async function tortureRanks(
  options: { readonly steps: number; readonly ranks: number; readonly model: RankOptions['model'] },
  say: (line: string) => void,
): Promise<RanksTally> {
  const start = performance.now();
  const results = resultsOf(
    await trainOnRanks(
      options.ranks,
      {
        model: options.model,
        depth: { drop: 0.5, schedule: 'uniform' },
        steps: options.steps,
        batch: 4 * options.ranks,
        bucketBytes: 100_000,
        timeoutMs: 120_000,
        pauses: { chance: 0.2, mostMs: 20 },
      },
      say,
    ),
  );
  const [first] = results;
  if (first === undefined) throw new Error('expected ranks');
  return {
    steps: options.steps,
    ranks: options.ranks,
    seconds: (performance.now() - start) / 1000,
    notSent: 1 - first.bytesReduced / (first.parameterBytes * options.steps),
    dropped: first.absentShare,
    equal: results.every(({ weights }) => weights === first.weights),
  };
}

/** The tally as text. */
export function ranksReport({ steps, ranks, seconds, notSent, dropped, equal }: RanksTally): string {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return [
    '',
    `${steps} steps on ${ranks} ranks that were held up at random, ${Math.round(seconds)} s: none hung`,
    `gradients that were not sent: ${percent(notSent)} of all bytes; dropped by the plans: ${percent(dropped)}`,
    `weights of all ranks equal bit for bit: ${equal ? 'yes' : 'no'}`,
    '',
  ].join('\n');
}

function endOf(child: ChildProcess, say: (line: string) => void): Promise<RankEnd> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const line of text.trimEnd().split('\n')) say(line);
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      const result = code === 0 ? (JSON.parse(stdout) as RankResult) : null;
      resolve({ code, signal, result, stderr });
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
