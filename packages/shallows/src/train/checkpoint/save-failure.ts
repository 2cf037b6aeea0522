import { ShallowsError } from '../../errors.js';
import { JobError } from './disk-thread.js';
import { reasonOf } from './inspect.js';

/** What to do about what the system says. */
const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'free space there, keep fewer checkpoints, or save to another disk',
  EDQUOT: 'free space there, keep fewer checkpoints, or have the quota raised',
  EFBIG: 'save to a file system for larger files',
  EROFS: 'the disk is mounted for reading only: save to another folder',
  EACCES: 'check who may write to the folder, or save to another',
  EPERM: 'check who may write to the folder, or save to another',
  ENOTDIR: 'a file stands where a folder should: save to another folder',
  EIO: 'the disk fails: save to another one',
};

/** The error of a checkpoint that could not be written. */
export function saveFailure(name: string, folder: string, cause: unknown): ShallowsError {
  const code = cause instanceof JobError ? cause.code : '';
  return new ShallowsError(
    `CheckpointStore.save: expected to write ${name} into ${folder}, got ${reasonOf(cause)} - ${advice[code] ?? 'check the disk'}; earlier checkpoints are as they were`,
    { cause },
  );
}
