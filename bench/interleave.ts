import { spawnSync } from 'node:child_process';

export { median } from './statistics.js';

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** How a program is run. */
export interface RunOptions {
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/**
 * Runs a program and reads the last line it prints as JSON.
 *
 * @throws Error with what it wrote to stderr where it fails or takes too long
 */
export function runJson([program, ...args]: Command, { env = {}, timeoutMs }: RunOptions = {}): unknown {
  const child = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: { ...process.env, ...env },
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
  });
  const told = [program, ...args].join(' ');
  if (child.error !== undefined && child.status === null) throw new Error(`${told}: ${child.error.message}`);
  if (child.status !== 0) {
    throw new Error(`${told} ended with ${child.status ?? child.signal}:\n${child.stderr}`);
  }
  return JSON.parse(child.stdout.trim().split('\n').at(-1) ?? '');
}

/** What a program printed: its figures by name. */
export type Figures = Readonly<Record<string, number>>;

/** One of the programs that run in turn. */
export interface Contender {
  /** Runs the program once, as a process of its own, and returns its figures; throws where it cannot. */
  readonly run: () => Figures;
}

/** What one contender did: its figures of each round, null from the round in which it failed. */
export interface Outcome {
  readonly rounds: readonly (Figures | null)[];
  /** Why it failed; null where it did not. */
  readonly failure: string | null;
}

/**
 * Runs all contenders in turn, A B C A B C …, as often as told. One that fails is left out from then on: the others go on.
 *
 * @throws whatever the first of them, which is ours, throws
 */
export function interleave(contenders: readonly Contender[], rounds: number): readonly Outcome[] {
  const results = contenders.map(() => ({ rounds: [] as (Figures | null)[], failure: null as string | null }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of contenders.entries()) {
      const result = results[i];
      if (result === undefined) continue;
      if (result.failure !== null) {
        result.rounds.push(null);
        continue;
      }
      try {
        result.rounds.push(run());
      } catch (error) {
        if (i === 0) throw error;
        result.failure = reasonOf(error);
        result.rounds.push(null);
      }
    }
  }
  return results;
}

/** The last line that says something: of a Python traceback, the error itself. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '') ?? text;
}
