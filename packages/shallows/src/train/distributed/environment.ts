import { ShallowsError } from '../../errors.js';
import { type Environment, EnvironmentReader } from './environment-reader.js';
import type { RankPlace } from './rank-place.js';
import { readSlurm } from './slurm.js';

export type { Environment } from './environment-reader.js';

/**
 * Finds out from the environment which rank this process is; null where it is alone.
 *
 * Read in this order, and only the first that is there:
 * 1. `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT`: of torchrun, `shallows launch` and Kubeflow's PyTorchJob;
 * 2. `PET_NNODES`, `PET_NPROC_PER_NODE`, `PET_NODE_RANK`, `PET_MASTER_ADDR`, `PET_MASTER_PORT`: of Kubeflow Trainer, where this
 *    is the only process of its node;
 * 3. `SLURM_PROCID`, `SLURM_NTASKS`, `SLURM_LOCALID`, `SLURM_STEP_NODELIST`: of srun.
 *
 * `SHALLOWS_RANK_TIMEOUT_MS` says beside each how long ranks wait for each other.
 *
 * @throws ShallowsError that lists what was found and what is missing
 */
export function readRanks(env: Environment = process.env): RankPlace | null {
  const place = readPlace(env);
  if (place === null || (env[timeout] ?? '') === '') return place;
  const reader = new EnvironmentReader(env, 'a launcher', [timeout]);
  const timeoutMs = reader.whole(timeout, 100);
  reader.check('give milliseconds, or leave it out');
  return { ...place, timeoutMs };
}

const timeout = 'SHALLOWS_RANK_TIMEOUT_MS';

function readPlace(env: Environment): RankPlace | null {
  const has = (name: string): boolean => (env[name] ?? '') !== '';
  if (has('RANK') || has('WORLD_SIZE')) return readTorchrun(env);
  if (has('PET_NNODES')) return readKubeflow(env);
  if (has('SLURM_PROCID') && (has('SLURM_STEP_ID') || has('SLURM_STEPID'))) return readSlurm(env);
  return null;
}

const ofTorchrun = ['RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'];

function readTorchrun(env: Environment): RankPlace | null {
  const reader = new EnvironmentReader(env, 'torchrun', ofTorchrun);
  const size = reader.whole('WORLD_SIZE', 1);
  const rank = reader.whole('RANK', 0);
  if (reader.has('RANK') && reader.has('WORLD_SIZE') && rank >= size) reader.problem('RANK is not below WORLD_SIZE');
  const alone = size === 1 && !reader.has('MASTER_ADDR');
  const host = alone ? '' : reader.text('MASTER_ADDR');
  const port = alone ? 0 : reader.whole('MASTER_PORT', 1);
  const localRank = reader.whole('LOCAL_RANK', 0, 0);
  reader.check('start with torchrun or `shallows launch`, or set all of RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT');
  if (alone) return null;
  return {
    rank,
    size,
    localRank,
    master: { host, port },
    launcher: 'torchrun',
    storeOutside: env.TORCHELASTIC_USE_AGENT_STORE === 'True',
    attempt: env.TORCHELASTIC_RESTART_COUNT ?? '0',
    timeoutMs: null,
  };
}

const ofKubeflow = ['PET_NNODES', 'PET_NPROC_PER_NODE', 'PET_NODE_RANK', 'PET_MASTER_ADDR', 'PET_MASTER_PORT'];

/** The nodes of a job of Kubeflow Trainer: what `shallows launch` starts processes on. */
export interface KubeflowNodes {
  readonly nodes: number;
  readonly nodeRank: number;
  /** Null where it is left to the node, as `auto`, `cpu` and `gpu` do. */
  readonly processesPerNode: number | null;
  readonly master: { readonly host: string; readonly port: number };
}

/** Reads the `PET_*` variables. @throws ShallowsError that lists what was found and what is missing */
export function readKubeflowNodes(env: Environment): KubeflowNodes {
  const reader = new EnvironmentReader(env, 'Kubeflow Trainer', ofKubeflow);
  const elastic = (env.PET_NNODES ?? '').includes(':');
  if (elastic) reader.problem('PET_NNODES is a range, which needs torchrun');
  const nodes = elastic ? 1 : reader.whole('PET_NNODES', 1);
  const nodeRank = nodes === 1 ? reader.whole('PET_NODE_RANK', 0, 0) : reader.whole('PET_NODE_RANK', 0);
  if (nodeRank >= nodes) reader.problem('PET_NODE_RANK is not below PET_NNODES');
  const given = env.PET_NPROC_PER_NODE ?? '';
  const open = ['', 'auto', 'cpu', 'gpu'].includes(given);
  const processesPerNode = open ? null : reader.whole('PET_NPROC_PER_NODE', 1);
  const host = nodes === 1 ? (env.PET_MASTER_ADDR ?? '127.0.0.1') : reader.text('PET_MASTER_ADDR');
  const port = reader.whole('PET_MASTER_PORT', 1, 29_500);
  reader.check('set all of PET_NNODES, PET_NODE_RANK and PET_MASTER_ADDR, as Kubeflow Trainer does');
  return { nodes, nodeRank, processesPerNode, master: { host, port } };
}

function readKubeflow(env: Environment): RankPlace | null {
  const { nodes, nodeRank, processesPerNode, master } = readKubeflowNodes(env);
  if ((processesPerNode ?? 1) > 1) {
    throw new ShallowsError(
      `readRanks: expected one process a node, as this one was started without a launcher, got PET_NPROC_PER_NODE=${processesPerNode} - start \`shallows launch -- train …\``,
    );
  }
  if (nodes === 1) return null;
  return {
    rank: nodeRank,
    size: nodes,
    localRank: 0,
    master,
    launcher: 'kubeflow',
    storeOutside: false,
    attempt: '0',
    timeoutMs: null,
  };
}
