import { type Environment, EnvironmentReader } from './environment-reader.js';
import type { RankPlace } from './rank-place.js';

const names = [
  'SLURM_PROCID',
  'SLURM_NTASKS',
  'SLURM_LOCALID',
  'SLURM_STEP_NODELIST',
  'SLURM_JOB_NODELIST',
  'SLURM_JOB_ID',
  'MASTER_ADDR',
  'MASTER_PORT',
];

/**
 * The rank of a task that srun started; null where it is the only one. Rank 0 is on the first node of the list; the port
 * comes from the job's number, so that jobs that share a node differ. `MASTER_ADDR` and `MASTER_PORT` go before both.
 *
 * @throws ShallowsError that lists what was found and what is missing
 */
export function readSlurm(env: Environment): RankPlace | null {
  const reader = new EnvironmentReader(env, 'SLURM', names);
  const size = reader.whole(reader.has('SLURM_STEP_NUM_TASKS') ? 'SLURM_STEP_NUM_TASKS' : 'SLURM_NTASKS', 1);
  const rank = reader.whole('SLURM_PROCID', 0);
  const localRank = reader.whole('SLURM_LOCALID', 0, 0);
  const job = reader.whole('SLURM_JOB_ID', 0, 0);
  const list = env.SLURM_STEP_NODELIST ?? env.SLURM_JOB_NODELIST ?? '';
  const host = env.MASTER_ADDR ?? firstHost(list);
  if (host === '') reader.problem('SLURM_STEP_NODELIST is missing');
  const port = reader.whole('MASTER_PORT', 1, 15_000 + (job % 10_000));
  reader.check('start the processes with srun, or set MASTER_ADDR');
  if (size === 1) return null;
  return {
    rank,
    size,
    localRank,
    master: { host, port },
    launcher: 'slurm',
    storeOutside: false,
    attempt: env.SLURM_RESTART_COUNT ?? '0',
    timeoutMs: null,
  };
}

/** The first host of a list such as `gpu[003-005,9],login1`, or ''. */
export function firstHost(list: string): string {
  const [, before = '', ranges, after = ''] = /^([^,[]*)(?:\[([^\]]*)\])?([^,[]*)/.exec(list.trim()) ?? [];
  if (ranges === undefined) return before;
  return `${before}${/^\d*/.exec(ranges)?.[0] ?? ''}${after}`;
}
