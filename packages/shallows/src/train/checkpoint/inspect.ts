import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../files/index.js';
import { checkpointFiles, contentFiles, limits, markerText } from './layout.js';
import { type FileFacts, type Manifest, parseManifest } from './manifest.js';
import { sha256Of } from './sha256.js';

/** What a look at a folder found: a manifest that its marker vouches for, or why there is none. */
export type Inspection =
  | { readonly manifest: Manifest; readonly problem: null }
  | { readonly manifest: null; readonly problem: string };

const pieceBytes = 4 * 1024 * 1024;

/** Reads the marker and the manifest of a checkpoint, a few hundred bytes; the contents are not looked at. */
export function inspectCheckpoint(path: string): Inspection {
  let reading: string = checkpointFiles.marker;
  try {
    const marker = readBounded(join(path, reading), limits.markerBytes).toString('latin1');
    reading = checkpointFiles.manifest;
    const bytes = readBounded(join(path, reading), limits.manifestBytes);
    if (marker !== markerText(sha256Of([bytes]))) throw new Error(`not the one that ${checkpointFiles.marker} names`);
    return { manifest: parseManifest(bytes.toString('utf8')), problem: null };
  } catch (error) {
    const absent = codeOf(error) === 'ENOENT' && reading === checkpointFiles.marker;
    const why = absent ? 'missing, so it was not written to the end' : reasonOf(error);
    return { manifest: null, problem: `${reading}: ${why}` };
  }
}

/** Reads every byte of a checkpoint and compares sizes and digests; null where all is as it was written, else why not. */
export function verifyCheckpoint(path: string): string | null {
  const { manifest, problem } = inspectCheckpoint(path);
  if (manifest === null) return problem;
  for (const name of contentFiles) {
    const wrong = verifyFile(join(path, name), manifest.files[name]);
    if (wrong !== null) return `${name}: ${wrong}`;
  }
  return null;
}

function verifyFile(path: string, { bytes, sha256: expected }: FileFacts): string | null {
  try {
    return withFile(path, (file, size) => {
      if (size !== bytes) return `expected ${bytes} bytes, got ${size}`;
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(1, size)));
      for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer))
        hash.update(buffer.subarray(0, read));
      return hash.digest('hex') === expected ? null : 'the SHA-256 is another';
    });
  } catch (error) {
    return reasonOf(error);
  }
}

/** The bytes of a content file that holds JSON, when they are what the manifest says. Throws where they are not. */
export function readVerified(path: string, { bytes, sha256: expected }: FileFacts, most: number): Buffer {
  const content = readBounded(path, most);
  if (content.length !== bytes) throw new Error(`expected ${bytes} bytes, got ${content.length}`);
  if (sha256Of([content]) !== expected) throw new Error('the SHA-256 is another');
  return content;
}

function readBounded(path: string, most: number): Buffer {
  return withFile(path, (file, size) => {
    if (size > most) throw new Error(`expected at most ${most} bytes, got ${size}`);
    const buffer = Buffer.alloc(size);
    let done = 0;
    while (done < size) {
      const read = readSync(file, buffer, done, size - done, done);
      if (read === 0) throw new Error(`expected ${size} bytes, got ${done}`);
      done += read;
    }
    return buffer;
  });
}

function withFile<T>(path: string, use: (file: number, size: number) => T): T {
  // Looked at before it is opened: opening a pipe would wait for its other end.
  if (!statSync(path).isFile()) throw new Error('expected a file, got something else');
  const file = openSync(path, 'r');
  try {
    return use(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

/** What an error says, without the path that the reader of the message knows already. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return codeOf(error) === '' ? message : message.replace(/, \w+(?: '.*')?$/, '');
}
