/** Where one process stands among those of a job. */
export interface RankPlace {
  /** From 0, over all machines. */
  readonly rank: number;
  /** How many processes there are. */
  readonly size: number;
  /** From 0, on this machine: which device is this process's. */
  readonly localRank: number;
  /** Where rank 0 listens. */
  readonly master: { readonly host: string; readonly port: number };
  /** Who started the processes. */
  readonly launcher: 'torchrun' | 'kubeflow' | 'slurm';
  /** Whether a process of the launcher listens at `master`, instead of rank 0. */
  readonly storeOutside: boolean;
  /** Tells the starts of one job apart. */
  readonly attempt: string;
  /** How long ranks wait for each other; null where nobody said. */
  readonly timeoutMs: number | null;
}
