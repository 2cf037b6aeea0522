import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Context } from './context.js';
import { exitCodes, UsageError } from './failure.js';
import { type AttemptEnd, type RankCommand, type RankEnd, runAttempt } from './launch-attempt.js';
import { type LaunchFlags, type LaunchPlan, launchPlan, rankArguments, rankEnvironment } from './launch-plan.js';

const shallows = fileURLToPath(new URL('../../bin/shallows.js', import.meta.url));

/** `shallows launch --processes N [--max-restarts K] … -- train RECIPE … | SCRIPT.js …` */
export default async function launch(this: Context, flags: LaunchFlags, ...words: string[]): Promise<void> {
  const { stdout, stderr, env } = this.terminal;
  let plan = launchPlan(flags, env);
  requireRestartable(plan, words);
  for (let attempt = 0; ; attempt++) {
    const end = await runAttempt(await commandsOf(plan, words, attempt, env), { stdout, stderr });
    const code = exitCodeOfAll(end);
    if (code !== exitCodes.failed || attempt >= plan.maxRestarts) {
      if (code === exitCodes.failed) stderr.write(`launch: ${blame(end.ends)}\n`);
      this.exitWith(code);
      return;
    }
    plan = withoutLost(plan, end.ends);
    stderr.write(
      `launch: ${blame(end.ends)} - starting again with ${plural(plan.processes)} (${attempt + 1} of ${plan.maxRestarts})\n`,
    );
  }
}

/** A restart that cannot find the checkpoints of the start before would begin anew. */
function requireRestartable({ maxRestarts }: LaunchPlan, [first, ...rest]: readonly string[]): void {
  if (maxRestarts === 0 || first !== 'train' || rest.some((word) => /^--run-dir(=|$)/.test(word))) return;
  throw new UsageError(
    'launch: expected --run-dir after train with --max-restarts, got none - name the folder in which a restart finds the checkpoints',
  );
}

async function commandsOf(
  plan: LaunchPlan,
  words: readonly string[],
  attempt: number,
  env: NodeJS.ProcessEnv,
): Promise<RankCommand[]> {
  const args = rankArguments(words, attempt, shallows);
  const master = plan.master ?? { host: '127.0.0.1', port: await freePort() };
  return Array.from({ length: plan.processes }, (_, localRank) => ({
    rank: plan.nodeRank * plan.processes + localRank,
    command: process.execPath,
    args,
    env: { ...env, ...rankEnvironment(plan, master, localRank, attempt) },
  }));
}

function exitCodeOfAll({ ends, stopped }: AttemptEnd): number {
  if (ends.every(({ code }) => code === 0)) return exitCodes.done;
  if (stopped && ends.every(({ code }) => code === 0 || code === exitCodes.interrupted)) return exitCodes.interrupted;
  if (stopped) return exitCodes.failed;
  return ends[0]?.code === exitCodes.usage ? exitCodes.usage : exitCodes.failed;
}

/** Leaves out processes that something else than the launcher killed, as far as is allowed. */
function withoutLost(plan: LaunchPlan, ends: readonly RankEnd[]): LaunchPlan {
  const lost = ends.filter(({ signal, ended }) => signal !== null && !ended).length;
  return { ...plan, processes: Math.max(plan.minProcesses, plan.processes - lost) };
}

function blame(ends: readonly RankEnd[]): string {
  const first = ends.find(({ code }) => code !== 0);
  if (first === undefined) return 'all ranks ended';
  const { rank, code, signal } = first;
  return signal === null ? `rank ${rank} failed with exit code ${code}` : `rank ${rank} was ended by ${signal}`;
}

const plural = (count: number): string => `${count} ${count === 1 ? 'process' : 'processes'}`;

/** A port of this machine that nobody listens on right now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
