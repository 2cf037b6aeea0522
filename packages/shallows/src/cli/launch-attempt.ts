import { type ChildProcess, spawn } from 'node:child_process';
import type { Output } from './context.js';
import type { SignalSource } from './interrupt.js';
import { prefixedLines } from './rank-lines.js';

/** A process to start. */
export interface RankCommand {
  readonly rank: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** How a process ended. */
export interface RankEnd {
  readonly rank: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether it was ended by the launcher, after another had failed. */
  readonly ended: boolean;
}

/** How all processes of one start ended, the first to fail first. */
export interface AttemptEnd {
  readonly ends: readonly RankEnd[];
  /** Whether the launcher was told to stop. */
  readonly stopped: boolean;
}

/** How long the others have to see for themselves that one is gone, and then to end when asked to. */
export interface Patience {
  readonly noticeMs: number;
  readonly endMs: number;
}

/**
 * Starts processes and waits for all. Signals are passed on. What rank 0 writes to stdout goes to stdout, everything else to
 * stderr with the rank before each line. Once one fails, the others may end by themselves, are then asked to, and then made to.
 */
export async function runAttempt(
  commands: readonly RankCommand[],
  { stdout, stderr }: { readonly stdout: Output; readonly stderr: Output },
  { noticeMs, endMs }: Patience = { noticeMs: 20_000, endMs: 10_000 },
  source: SignalSource = process,
): Promise<AttemptEnd> {
  const ends: RankEnd[] = [];
  const ended = new Set<number>();
  const timers: NodeJS.Timeout[] = [];
  let stopped = false;
  const running = new Map<number, ChildProcess>();
  const endAll = (signal: NodeJS.Signals): void => {
    for (const [rank, child] of running) {
      ended.add(rank);
      child.kill(signal);
    }
  };
  const failed = (): void => {
    if (timers.length > 0) return;
    timers.push(
      setTimeout(() => endAll('SIGTERM'), noticeMs),
      setTimeout(() => endAll('SIGKILL'), noticeMs + endMs),
    );
  };
  const passOn = (signal: 'SIGINT' | 'SIGTERM') => (): void => {
    stopped = true;
    for (const child of running.values()) child.kill(signal);
  };
  const [onInterrupt, onTerminate] = [passOn('SIGINT'), passOn('SIGTERM')];
  source.on('SIGINT', onInterrupt);
  source.on('SIGTERM', onTerminate);
  try {
    await Promise.all(
      commands.map(async (command) => {
        const end = await run(command, running, { stdout, stderr });
        ends.push({ ...end, ended: ended.has(command.rank) });
        if (end.code !== 0 && !stopped) failed();
      }),
    );
  } finally {
    for (const timer of timers) clearTimeout(timer);
    source.off('SIGINT', onInterrupt);
    source.off('SIGTERM', onTerminate);
  }
  return { ends, stopped };
}

function run(
  { rank, command, args, env }: RankCommand,
  running: Map<number, ChildProcess>,
  { stdout, stderr }: { readonly stdout: Output; readonly stderr: Output },
): Promise<Pick<RankEnd, 'rank' | 'code' | 'signal'>> {
  // In a group of its own, Ctrl-C reaches the launcher alone, which passes it on once.
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  running.set(rank, child);
  const lines = [prefixedLines(`[rank ${rank}] `, stderr), prefixedLines(`[rank ${rank}] `, stderr)] as const;
  child.stderr.on('data', (piece: Buffer) => lines[0].write(piece));
  child.stdout.on('data', (piece: Buffer) => {
    if (rank === 0) stdout.write(piece.toString('utf8'));
    else lines[1].write(piece);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      running.delete(rank);
      for (const each of lines) each.end();
      resolve({ rank, code, signal });
    });
  });
}
