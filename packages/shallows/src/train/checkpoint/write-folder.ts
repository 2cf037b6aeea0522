import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { codeOf, type Disk } from '../../files/index.js';
import { type ContentFile, checkpointFiles, contentFiles, markerText } from './layout.js';
import { type FileFacts, type SavedFacts, writeManifest } from './manifest.js';
import { temporaryName } from './temporary.js';

/** What is to be written, and where. */
export interface WriteJob {
  /** The folder that holds the checkpoints. */
  readonly folder: string;
  readonly name: string;
  readonly facts: SavedFacts;
  readonly sequence: number;
  /** The bytes of each file, in pieces. */
  readonly contents: Readonly<Record<ContentFile, readonly Uint8Array[]>>;
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
 */
export async function writeFolder(disk: Disk, { folder, name, facts, sequence, contents }: WriteJob): Promise<Written> {
  makeLasting(disk, folder);
  const temporary = join(folder, temporaryName('saving'));
  try {
    disk.makeFolder(temporary);
    const write = (file: string, pieces: readonly Uint8Array[]): Promise<FileFacts> =>
      writeFile(disk, join(temporary, file), pieces);
    const { model, state, json } = checkpointFiles;
    const files = {
      [model]: await write(model, contents[model]),
      [state]: await write(state, contents[state]),
      [json]: await write(json, contents[json]),
    };
    const text = writeManifest({ schema: 1, sequence, savedAt: new Date().toISOString(), ...facts, files });
    const manifest = await write(checkpointFiles.manifest, [Buffer.from(text)]);
    const marker = await write(checkpointFiles.marker, [Buffer.from(markerText(manifest.sha256))]);
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

async function writeFile(disk: Disk, path: string, pieces: readonly Uint8Array[]): Promise<FileFacts> {
  const file = disk.create(path);
  try {
    for (const piece of pieces) disk.write(file, piece);
    const synced = disk.startSync(file);
    // The disk and this processor work at once.
    const facts = factsOf(pieces);
    await synced;
    return facts;
  } finally {
    disk.close(file);
  }
}

function factsOf(pieces: readonly Uint8Array[]): FileFacts {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
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
