import { describe, expect, test } from 'vitest';
import { readKubeflowNodes, readRanks } from './environment.js';
import { firstHost } from './slurm.js';

const torchrun = { RANK: '3', WORLD_SIZE: '4', LOCAL_RANK: '1', MASTER_ADDR: 'node-0', MASTER_PORT: '29500' };
const kubeflow = {
  PET_NNODES: '3',
  PET_NPROC_PER_NODE: 'auto',
  PET_NODE_RANK: '2',
  PET_MASTER_ADDR: 'job-node-0-0.job',
  PET_MASTER_PORT: '29500',
};
const slurm = {
  SLURM_PROCID: '5',
  SLURM_NTASKS: '8',
  SLURM_LOCALID: '1',
  SLURM_STEP_ID: '0',
  SLURM_JOB_ID: '1234567',
  SLURM_STEP_NODELIST: 'gpu[003-005,9]',
};

test('without variables a process is alone', () => {
  expect(readRanks({})).toBeNull();
  expect(readRanks({ MASTER_ADDR: 'x', MASTER_PORT: '1' })).toBeNull();
  expect(readRanks({ RANK: '0', WORLD_SIZE: '1' })).toBeNull();
});

test('how long ranks wait comes beside any of them', () => {
  for (const env of [torchrun, kubeflow, slurm]) {
    expect(readRanks({ ...env, SHALLOWS_RANK_TIMEOUT_MS: '5000' })).toMatchObject({ timeoutMs: 5000 });
  }
  expect(() => readRanks({ ...torchrun, SHALLOWS_RANK_TIMEOUT_MS: '5 s' })).toThrow(
    'got SHALLOWS_RANK_TIMEOUT_MS=5 s, where SHALLOWS_RANK_TIMEOUT_MS is no whole number from 100',
  );
});

describe('torchrun', () => {
  test('says all', () => {
    expect(readRanks(torchrun)).toEqual({
      rank: 3,
      size: 4,
      localRank: 1,
      master: { host: 'node-0', port: 29500 },
      launcher: 'torchrun',
      storeOutside: false,
      attempt: '0',
      timeoutMs: null,
    });
  });

  test('keeps the store in its agent, also over restarts', () => {
    const elastic = { ...torchrun, TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2' };
    expect(readRanks(elastic)).toMatchObject({ storeOutside: true, attempt: '2' });
  });

  test('goes before Kubeflow and SLURM, within whose jobs it runs', () => {
    expect(readRanks({ ...torchrun, ...kubeflow, ...slurm })).toMatchObject({ rank: 3, launcher: 'torchrun' });
    expect(readRanks({ ...kubeflow, ...slurm })).toMatchObject({ rank: 2, launcher: 'kubeflow' });
  });

  test.each([
    [
      { RANK: '1', WORLD_SIZE: '2' },
      'readRanks: expected the variables of torchrun, got RANK=1, WORLD_SIZE=2, where MASTER_ADDR is missing, and MASTER_PORT is missing - start with torchrun',
    ],
    [{ WORLD_SIZE: '2', MASTER_ADDR: 'a', MASTER_PORT: '1' }, 'where RANK is missing'],
    [{ ...torchrun, RANK: '4' }, 'where RANK is not below WORLD_SIZE'],
    [{ ...torchrun, WORLD_SIZE: 'four' }, 'where WORLD_SIZE is no whole number from 1'],
    [
      { ...torchrun, MASTER_PORT: '-1', LOCAL_RANK: '0.5' },
      'MASTER_PORT is no whole number from 1, and LOCAL_RANK is no',
    ],
  ])('%o is wrong', (env, message) => {
    expect(() => readRanks(env)).toThrow(message);
  });
});

describe('Kubeflow Trainer', () => {
  test('gives a node each one process', () => {
    expect(readRanks(kubeflow)).toEqual({
      rank: 2,
      size: 3,
      localRank: 0,
      master: { host: 'job-node-0-0.job', port: 29500 },
      launcher: 'kubeflow',
      storeOutside: false,
      attempt: '0',
      timeoutMs: null,
    });
    expect(readRanks({ ...kubeflow, PET_NPROC_PER_NODE: '1' })).toMatchObject({ rank: 2, size: 3 });
    expect(readRanks({ PET_NNODES: '1', PET_NODE_RANK: '0' })).toBeNull();
  });

  test('tells a launcher of nodes', () => {
    expect(readKubeflowNodes({ ...kubeflow, PET_NPROC_PER_NODE: '4' })).toEqual({
      nodes: 3,
      nodeRank: 2,
      processesPerNode: 4,
      master: { host: 'job-node-0-0.job', port: 29500 },
    });
    expect(readKubeflowNodes(kubeflow).processesPerNode).toBeNull();
  });

  test.each([
    [{ ...kubeflow, PET_NPROC_PER_NODE: '2' }, 'got PET_NPROC_PER_NODE=2 - start `shallows launch -- train …`'],
    [
      { ...kubeflow, PET_MASTER_ADDR: '' },
      'expected the variables of Kubeflow Trainer, got PET_NNODES=3, PET_NPROC_PER_NODE=auto, PET_NODE_RANK=2, PET_MASTER_PORT=29500, where PET_MASTER_ADDR is missing',
    ],
    [{ ...kubeflow, PET_NODE_RANK: '3' }, 'PET_NODE_RANK is not below PET_NNODES'],
    [{ ...kubeflow, PET_NNODES: '1:4' }, 'PET_NNODES is a range, which needs torchrun'],
    [{ ...kubeflow, PET_NPROC_PER_NODE: 'many' }, 'PET_NPROC_PER_NODE is no whole number from 1'],
  ])('%o is wrong', (env, message) => {
    expect(() => readRanks(env)).toThrow(message);
  });
});

describe('SLURM', () => {
  test('says all, with a port from the number of the job', () => {
    expect(readRanks(slurm)).toEqual({
      rank: 5,
      size: 8,
      localRank: 1,
      master: { host: 'gpu003', port: 19567 },
      launcher: 'slurm',
      storeOutside: false,
      attempt: '0',
      timeoutMs: null,
    });
    expect(readRanks({ ...slurm, MASTER_ADDR: 'head', MASTER_PORT: '7' })).toMatchObject({
      master: { host: 'head', port: 7 },
    });
  });

  test('counts only what srun started, and the tasks of its step', () => {
    expect(readRanks({ ...slurm, SLURM_STEP_ID: '' })).toBeNull();
    expect(readRanks({ ...slurm, SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' })).toBeNull();
    expect(readRanks({ ...slurm, SLURM_STEP_NUM_TASKS: '6' })).toMatchObject({ size: 6 });
  });

  test('without a list of nodes is an error', () => {
    expect(() => readRanks({ ...slurm, SLURM_STEP_NODELIST: undefined })).toThrow(
      'expected the variables of SLURM, got SLURM_PROCID=5, SLURM_NTASKS=8, SLURM_LOCALID=1, SLURM_JOB_ID=1234567, where SLURM_STEP_NODELIST is missing - start the processes with srun, or set MASTER_ADDR',
    );
  });

  test.each([
    ['node7', 'node7'],
    ['a,b', 'a'],
    ['gpu[003-005,9]', 'gpu003'],
    ['rack1-[07,09].site,other', 'rack1-07.site'],
    ['', ''],
  ])('the first host of %o is %o', (list, host) => {
    expect(firstHost(list)).toBe(host);
  });
});
