import { availableParallelism } from 'node:os';
import { type Environment, readKubeflowNodes } from '../train/distributed/environment.js';
import { UsageError } from './failure.js';

/** Flags of `shallows launch`. */
export interface LaunchFlags {
  readonly processes?: number;
  readonly nodes?: number;
  readonly 'node-rank'?: number;
  readonly master?: string;
  readonly threads?: number;
  readonly timeout?: number;
  readonly 'max-restarts': number;
  readonly 'min-processes'?: number;
}

/** What is started on this machine. */
export interface LaunchPlan {
  /** Processes on this machine. */
  readonly processes: number;
  readonly nodes: number;
  /** This machine, from 0. */
  readonly nodeRank: number;
  /** Where rank 0 listens; null for a free port of this machine, a new one for each start. */
  readonly master: { readonly host: string; readonly port: number } | null;
  /** Threads of each process; null leaves `OMP_NUM_THREADS` as it is. */
  readonly threads: number | null;
  /** How long ranks wait for each other; null for what the library takes. */
  readonly timeoutMs: number | null;
  readonly maxRestarts: number;
  /** A restart may leave out processes that were killed, down to so many. */
  readonly minProcesses: number;
}

/** Makes a plan of flags, and of Kubeflow Trainer's variables where flags leave something open. Throws UsageError. */
export function launchPlan(flags: LaunchFlags, env: Environment, cores = availableParallelism()): LaunchPlan {
  const kubeflow = (env.PET_NNODES ?? '') === '' ? null : readKubeflowNodes(env);
  const nodes = flags.nodes ?? kubeflow?.nodes ?? 1;
  const processes = flags.processes ?? (kubeflow === null ? undefined : (kubeflow.processesPerNode ?? 1));
  if (processes === undefined) {
    throw new UsageError('launch: expected --processes, got none - give the number of processes on this machine');
  }
  const nodeRank = flags['node-rank'] ?? kubeflow?.nodeRank ?? 0;
  if (nodeRank >= nodes) {
    throw new UsageError(
      `launch: --node-rank: expected a number below --nodes ${nodes}, got ${nodeRank} - count from 0`,
    );
  }
  const master = flags.master === undefined ? (kubeflow?.master ?? null) : address(flags.master);
  if (nodes > 1 && master === null) {
    throw new UsageError('launch: expected --master with several nodes, got none - give HOST:PORT of node 0');
  }
  const minProcesses = flags['min-processes'] ?? processes;
  if (minProcesses > processes) {
    throw new UsageError(
      `launch: --min-processes: expected at most --processes ${processes}, got ${minProcesses} - a restart never adds any`,
    );
  }
  if (nodes > 1 && minProcesses < processes) {
    throw new UsageError(
      'launch: --min-processes: expected one machine, got --nodes - machines cannot agree on a smaller number of ranks',
    );
  }
  const told = (env.OMP_NUM_THREADS ?? '') !== '';
  return {
    processes,
    nodes,
    nodeRank,
    master: nodes === 1 && flags.master === undefined ? null : master,
    threads: flags.threads ?? (told ? null : Math.max(1, Math.floor(cores / processes))),
    timeoutMs: flags.timeout === undefined ? null : flags.timeout * 1000,
    maxRestarts: flags['max-restarts'],
    minProcesses,
  };
}

function address(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(text) ?? [];
  if (host !== '' && Number(port) >= 1 && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new UsageError(`launch: --master: expected HOST:PORT, got ${JSON.stringify(text)} - such as node-0:29500`);
}

/** The variables of one process, those of torchrun. */
export function rankEnvironment(
  { processes, nodes, nodeRank, threads, timeoutMs }: LaunchPlan,
  master: { readonly host: string; readonly port: number },
  localRank: number,
  attempt: number,
): Record<string, string> {
  return {
    RANK: String(nodeRank * processes + localRank),
    WORLD_SIZE: String(nodes * processes),
    LOCAL_RANK: String(localRank),
    LOCAL_WORLD_SIZE: String(processes),
    GROUP_RANK: String(nodeRank),
    MASTER_ADDR: master.host,
    MASTER_PORT: String(master.port),
    TORCHELASTIC_RESTART_COUNT: String(attempt),
    ...(threads === null ? {} : { OMP_NUM_THREADS: String(threads) }),
    ...(timeoutMs === null ? {} : { SHALLOWS_RANK_TIMEOUT_MS: String(timeoutMs) }),
  };
}

/** What Node runs: a script, or a command of `shallows`, which a restart makes go on where it was. */
export function rankArguments(
  [first = '', ...rest]: readonly string[],
  attempt: number,
  shallows: string,
): readonly string[] {
  if (/\.[cm]?js$/.test(first)) return [first, ...rest];
  const resumes = rest.some((word) => /^--resume(=|$)/.test(word));
  return [shallows, first, ...rest, ...(attempt > 0 && first === 'train' && !resumes ? ['--resume', 'auto'] : [])];
}
