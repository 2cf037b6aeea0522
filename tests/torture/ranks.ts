import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { RankOptions, RankResult } from './rank.js';

/** What a rank runs: one of the programs beside this one, seen from what is built or from the source. */
type Program = 'rank' | 'rank-run';
const pathOf = (program: Program): string =>
  fileURLToPath(new URL(`./${import.meta.url.endsWith('.ts') ? 'dist/' : ''}${program}.js`, import.meta.url));

/** How one rank ended. */
export interface RankEnd<T = RankResult> {
  readonly code: number | null;
  readonly signal: string | null;
  /** Null where it did not reach its end. */
  readonly result: T | null;
  readonly stderr: string;
}

/** Trains on so many processes of this machine; in one process, without a group, where `size` is 1. */
export function trainOnRanks(
  size: number,
  options: RankOptions,
  say: (line: string) => void = () => undefined,
): Promise<readonly RankEnd[]> {
  return startRanks<RankResult>(size, 'rank', options, say);
}

/** Runs a program as so many ranks, all told the same. */
export async function startRanks<T>(
  size: number,
  program: Program,
  options: unknown,
  say: (line: string) => void = () => undefined,
): Promise<readonly RankEnd<T>[]> {
  const port = await freePort();
  return Promise.all(
    Array.from({ length: size }, (_, rank) => {
      const { RANK: _rank, WORLD_SIZE: _size, ...env } = process.env;
      const ranks = { RANK: String(rank), WORLD_SIZE: String(size), LOCAL_RANK: String(rank) };
      const master = { MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) };
      const child = spawn(process.execPath, [pathOf(program), JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...env,
          OMP_NUM_THREADS: '1',
          OMP_WAIT_POLICY: 'passive',
          ...(size === 1 ? {} : { ...ranks, ...master }),
        },
      });
      return endOf<T>(child, (line) => say(`[rank ${rank}] ${line}`));
    }),
  );
}

/** What a training on several ranks said; throws where a rank failed. */
export function resultsOf<T>(ends: readonly RankEnd<T>[]): T[] {
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
  /** Bytes of a step that were not sent, as a share of those that a run sends in which nothing is dropped. */
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
  const run = async (depth: RankOptions['depth'], steps: number): Promise<readonly RankResult[]> =>
    resultsOf(
      await trainOnRanks(
        options.ranks,
        {
          model: options.model,
          depth,
          steps,
          batch: 4 * options.ranks,
          bucketBytes: 100_000,
          timeoutMs: 120_000,
          pauses: { chance: 0.2, mostMs: 20 },
        },
        say,
      ),
    );
  const [whole] = await run(null, 3);
  const results = await run({ drop: 0.5, schedule: 'uniform' }, options.steps);
  const [first] = results;
  if (first === undefined || whole === undefined) throw new Error('expected ranks');
  return {
    steps: options.steps,
    ranks: options.ranks,
    seconds: (performance.now() - start) / 1000,
    notSent: 1 - first.bytesReduced / options.steps / (whole.bytesReduced / 3),
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
    `gradients that were not sent: ${percent(notSent)} of the bytes without dropping; dropped by the plans: ${percent(dropped)}`,
    `weights of all ranks equal bit for bit: ${equal ? 'yes' : 'no'}`,
    '',
  ].join('\n');
}

function endOf<T>(child: ChildProcess, say: (line: string) => void): Promise<RankEnd<T>> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const line of text.trimEnd().split('\n')) say(line);
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      const result = code === 0 ? (JSON.parse(stdout) as T) : null;
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
