import { dirname, join } from 'node:path';
import { codeOf, type Disk } from '../../files/index.js';
import type { HashThread } from './hash-thread.js';
import { type ContentFile, checkpointFiles, contentFiles, markerText } from './layout.js';
import { type FileFacts, type SavedFacts, writeManifest } from './manifest.js';
import { sha256Of } from './sha256.js';
import { temporaryName } from './temporary.js';

/** Below this many bytes handing them over costs more than hashing them. */
const worthAThread = 8 * 1024 * 1024;

type Contents = Readonly<Record<ContentFile, readonly Uint8Array<ArrayBuffer>[]>>;

/** What is to be written, and where. */
export interface WriteJob {
  /** The folder that holds the checkpoints. */
  readonly folder: string;
  readonly name: string;
  readonly facts: SavedFacts;
  readonly sequence: number;
  /** The bytes of each file, in pieces. */
  readonly contents: Contents;
}

/** What was written. */
export interface Written {
  /** The name asked for, or with a number behind it where that was taken. */
  readonly name: string;
  readonly path: string;
  /** Of all files. */
  readonly bytes: number;
}

/**
 * Writes a checkpoint so that at no moment, not even at a loss of power, the folder holds half of one: into a folder with
 * a temporary name, files first, then the manifest with their digests, the marker last, each synced; then the folder is
 * synced, gets its name at once, and the folder above is synced. What was there before is never touched.
 *
 * @param hashing hashes the largest file meanwhile, whose buffers it takes over; without it all is hashed here
 */
export async function writeFolder(
  disk: Disk,
  { folder, name, facts, sequence, contents }: WriteJob,
  hashing: Pick<HashThread, 'digest'> | null = null,
): Promise<Written> {
  makeLasting(disk, folder);
  const temporary = join(folder, temporaryName('saving'));
  try {
    disk.makeFolder(temporary);
    const files = await writeContents(disk, temporary, contents, hashing);
    const text = writeManifest({ schema: 1, sequence, savedAt: new Date().toISOString(), ...facts, files });
    const write = (file: string, content: string): Promise<FileFacts> =>
      writeFile(disk, join(temporary, file), [Buffer.from(content)], sha256Of);
    const manifest = await write(checkpointFiles.manifest, text);
    const marker = await write(checkpointFiles.marker, markerText(manifest.sha256));
    disk.syncFolder(temporary);
    const taken = giveName(disk, temporary, folder, name);
    disk.syncFolder(folder);
    const bytes = contentFiles.reduce((sum, each) => sum + files[each].bytes, manifest.bytes + marker.bytes);
    return { name: taken, path: join(folder, taken), bytes };
  } catch (error) {
    try {
      disk.remove(temporary);
    } catch {
      // The disk fails at this too: the folder is seen as left over once this process has ended.
    }
    throw error;
  }
}

/** Makes a folder with those above it. Also one that is there gets its name synced: who made it may have been killed. */
function makeLasting(disk: Disk, folder: string): void {
  const above = dirname(folder);
  if (above !== folder && disk.changedAt(above) === null) makeLasting(disk, above);
  disk.makeFolder(folder);
  disk.syncFolder(above);
}

/** The disk, this processor and that of the other thread work at once. */
async function writeContents(
  disk: Disk,
  folder: string,
  contents: Contents,
  hashing: Pick<HashThread, 'digest'> | null,
): Promise<Record<ContentFile, FileFacts>> {
  const sizeOf = (name: ContentFile): number => contents[name].reduce((sum, { length }) => sum + length, 0);
  const [largest] = [...contentFiles].sort((a, b) => sizeOf(b) - sizeOf(a));
  const write = (name: ContentFile): Promise<FileFacts> => {
    const elsewhere = hashing !== null && name === largest && sizeOf(name) >= worthAThread;
    const hash = elsewhere ? hashing.digest.bind(hashing) : sha256Of;
    return writeFile(disk, join(folder, name), contents[name], hash);
  };
  const { model, state, json } = checkpointFiles;
  // Each goes on to its sync at once. The largest first: its digest takes longest.
  const first = largest === state ? write(state) : null;
  const writing = [write(model), first ?? write(state), write(json)] as const;
  await Promise.allSettled(writing);
  const [ofModel, ofState, ofJson] = await Promise.all(writing);
  return { [model]: ofModel, [state]: ofState, [json]: ofJson };
}

async function writeFile<T extends Uint8Array>(
  disk: Disk,
  path: string,
  pieces: readonly T[],
  hash: (pieces: readonly T[]) => string | Promise<string>,
): Promise<FileFacts> {
  const file = disk.create(path);
  try {
    let bytes = 0;
    for (const piece of pieces) {
      disk.write(file, piece);
      bytes += piece.length;
    }
    const synced = disk.startSync(file);
    const sha256 = Promise.resolve(hash(pieces));
    // A handle is not closed under its sync.
    await Promise.allSettled([synced, sha256]);
    await synced;
    return { bytes, sha256: await sha256 };
  } finally {
    disk.close(file);
  }
}

// What systems say of a name that is taken.
const taken = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR']);

/** Renames to the first of `name`, `name.2`, `name.3`, … that is free. */
function giveName(disk: Disk, from: string, folder: string, name: string): string {
  const known = new Set(disk.names(folder));
  for (let i = 1; ; i++) {
    const candidate = i === 1 ? name : `${name}.${i}`;
    if (known.has(candidate)) continue;
    try {
      disk.rename(from, join(folder, candidate));
      return candidate;
    } catch (error) {
      if (!taken.has(codeOf(error))) throw error;
    }
  }
}
