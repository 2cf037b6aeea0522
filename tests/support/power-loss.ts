import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Disk, localDisk } from '../../packages/shallows/src/files/disk.js';

/** One call of a disk, as it was made. */
export type Call =
  | { readonly kind: 'folder' | 'syncFolder' | 'remove' | 'create'; readonly path: string }
  | { readonly kind: 'write'; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: 'sync' | 'close'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string };

/** The disk of this machine, with every call written down before it is made; `before` may throw in its place. */
export function recordingDisk(log: Call[], before: (call: Call) => void = () => {}): Disk {
  const paths = new Map<number, string>();
  const noted = (call: Call): void => {
    before(call);
    log.push(call);
  };
  const pathOf = (file: number): string => paths.get(file) ?? '?';
  return {
    ...localDisk,
    makeFolder: (path) => {
      noted({ kind: 'folder', path });
      localDisk.makeFolder(path);
    },
    create: (path) => {
      noted({ kind: 'create', path });
      const file = localDisk.create(path);
      paths.set(file, path);
      return file;
    },
    write: (file, bytes) => {
      noted({ kind: 'write', path: pathOf(file), bytes: bytes.slice() });
      localDisk.write(file, bytes);
    },
    sync: (file) => {
      noted({ kind: 'sync', path: pathOf(file) });
    },
    startSync: async (file) => {
      noted({ kind: 'sync', path: pathOf(file) });
    },
    close: (file) => {
      localDisk.close(file);
      noted({ kind: 'close', path: pathOf(file) });
    },
    syncFolder: (path) => {
      noted({ kind: 'syncFolder', path });
    },
    rename: (from, to) => {
      noted({ kind: 'rename', path: from, to });
      localDisk.rename(from, to);
    },
    // A folder goes file by file.
    remove: (path) => {
      for (const name of localDisk.names(path)) {
        noted({ kind: 'remove', path: join(path, name) });
        localDisk.remove(join(path, name));
      }
      noted({ kind: 'remove', path });
      localDisk.remove(path);
    },
  };
}

interface FileNode {
  readonly kind: 'file';
  bytes: Uint8Array;
  /** What was synced; null before. */
  durable: Uint8Array | null;
}

interface FolderNode {
  readonly kind: 'folder';
  readonly entries: Map<string, Node>;
  durable: Map<string, Node>;
}

type Node = FileNode | FolderNode;

const newFolder = (): FolderNode => ({ kind: 'folder', entries: new Map(), durable: new Map() });

/** A file system below `root` after some calls: what it shows, and what of it is on the disk for sure. */
function replay(root: string, calls: readonly Call[]): FolderNode {
  const top = newFolder();
  const find = (path: string): Node | undefined => {
    let at: Node | undefined = top;
    for (const part of path.slice(root.length).split('/').filter(Boolean)) {
      at = at?.kind === 'folder' ? at.entries.get(part) : undefined;
    }
    return at;
  };
  const folderAt = (path: string): FolderNode => {
    const found = find(path);
    if (found?.kind !== 'folder') throw new Error(`no folder ${path}`);
    return found;
  };
  const fileAt = (path: string): FileNode => {
    const found = find(path);
    if (found?.kind !== 'file') throw new Error(`no file ${path}`);
    return found;
  };
  for (const call of calls) {
    const { path } = call;
    const name = basename(path);
    if (call.kind === 'folder') {
      if (find(path) === undefined) folderAt(dirname(path)).entries.set(name, newFolder());
    } else if (call.kind === 'create') {
      folderAt(dirname(path)).entries.set(name, { kind: 'file', bytes: new Uint8Array(), durable: null });
    } else if (call.kind === 'write') {
      const file = fileAt(path);
      file.bytes = Buffer.concat([file.bytes, call.bytes]);
    } else if (call.kind === 'sync') {
      const file = fileAt(path);
      file.durable = file.bytes;
    } else if (call.kind === 'syncFolder') {
      const folder = folderAt(path);
      folder.durable = new Map(folder.entries);
    } else if (call.kind === 'rename') {
      const node = find(path);
      if (node === undefined) throw new Error(`nothing at ${path}`);
      folderAt(dirname(path)).entries.delete(name);
      folderAt(dirname(call.to)).entries.set(basename(call.to), node);
    } else if (call.kind === 'remove') {
      folderAt(dirname(path)).entries.delete(name);
    }
  }
  return top;
}

/** What of a file or name that was not synced is there after the power came back. */
export interface Fate {
  /** Whether a name that is not synced is as it was last seen, rather than as it was last synced. */
  name(): boolean;
  /** What a file that is not synced holds, of what was written to it. */
  content(written: Uint8Array, synced: Uint8Array): Uint8Array;
}

/** Makes, below `target`, what the disk may hold when the power goes after these calls. Names and contents that were synced are there. */
export function materialise(root: string, calls: readonly Call[], target: string, fate: Fate): void {
  const place = (node: Node, path: string): void => {
    if (node.kind === 'file') {
      const settled = node.durable === node.bytes;
      writeFileSync(path, settled ? node.bytes : fate.content(node.bytes, node.durable ?? new Uint8Array()));
      return;
    }
    mkdirSync(path, { recursive: true });
    for (const name of new Set([...node.durable.keys(), ...node.entries.keys()])) {
      const [synced, seen] = [node.durable.get(name), node.entries.get(name)];
      const chosen = synced === seen || fate.name() ? seen : synced;
      if (chosen !== undefined) place(chosen, join(path, name));
    }
  };
  place(replay(root, calls), target);
}
