import { type Disk, localDisk } from '../../packages/shallows/src/files/index.js';
import { checkpointFiles } from '../../packages/shallows/src/train/checkpoint/layout.js';
import { type WriteJob, type Written, writeFolder } from '../../packages/shallows/src/train/checkpoint/write-folder.js';

/** A checkpoint of a few hundred bytes of text, which need no libtorch: for tests of what folders do. */
export function plainJob(folder: string, batch: number): WriteJob {
  const bytes = (name: string): Uint8Array<ArrayBuffer>[] => [
    Buffer.from(`${name} of `),
    Buffer.from(`batch ${batch} `.repeat(20)),
  ];
  return {
    folder,
    name: `ba${batch}`,
    sequence: batch,
    facts: { progress: { epoch: 0, batch, sample: batch, elapsedMs: 1, fraction: 0.5 }, metrics: {} },
    contents: {
      [checkpointFiles.model]: bytes('model'),
      [checkpointFiles.state]: bytes('state'),
      [checkpointFiles.json]: [Buffer.from('{}')],
    },
  };
}

/** Writes one. */
export function writePlain(folder: string, batch: number, disk: Disk = localDisk): Promise<Written> {
  return writeFolder(disk, plainJob(folder, batch));
}
