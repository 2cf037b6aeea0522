import { localDisk } from '../../files/index.js';
import { HashThread } from './hash-thread.js';
import { type CheckpointEntry, listCheckpoints, type Newest, newestCheckpoint, nextSequence } from './list.js';
import { type Pruned, type PruneJob, pruneFolder } from './prune.js';
import { type WriteJob, type Written, writeFolder } from './write-folder.js';

const hashing = new HashThread();

/** What a disk thread can be asked for: functions that mostly block, of plain data. */
export const jobs = {
  write: async (job: Omit<WriteJob, 'sequence'>): Promise<Written & { readonly writeMs: number }> => {
    const start = performance.now();
    const written = await writeFolder(localDisk, { ...job, sequence: nextSequence(job.folder) }, hashing);
    return { ...written, writeMs: performance.now() - start };
  },
  prune: (job: PruneJob): Pruned => pruneFolder(localDisk, job),
  list: (folder: string): CheckpointEntry[] => listCheckpoints(folder),
  newest: (folder: string): Newest => newestCheckpoint(folder),
};

/** The jobs by name. */
export type Jobs = typeof jobs;

/** What a job gives in the end. */
export type Result<K extends keyof Jobs> = Awaited<ReturnType<Jobs[K]>>;

/** What is sent to the thread. */
export type Request = {
  readonly [K in keyof Jobs]: { readonly id: number; readonly kind: K; readonly job: Parameters<Jobs[K]>[0] };
}[keyof Jobs];

/** What comes back. */
export type Answer = { readonly id: number } & (
  | { readonly result: Result<keyof Jobs> }
  | { readonly failure: { readonly message: string; readonly code: string } }
);

/** Does what is asked. */
export async function perform(request: Request): Promise<Result<keyof Jobs>> {
  switch (request.kind) {
    case 'write':
      return jobs.write(request.job);
    case 'prune':
      return jobs.prune(request.job);
    case 'list':
      return jobs.list(request.job);
    case 'newest':
      return jobs.newest(request.job);
  }
}
