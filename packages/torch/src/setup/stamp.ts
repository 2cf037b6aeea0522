import { readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { findCommand } from './command.js';
import { buildFiles, type SetupContext } from './context.js';
import { fileIdentity, type Libtorch } from './libtorch.js';

/** What an addon was built from, kept beside it as `libtorch.json`. */
export interface Stamp {
  readonly libtorch: Libtorch;
  /** Digest of the native sources and of everything the build was told. */
  readonly build: string;
  /** What decided the search for libtorch. */
  readonly search: string;
  /** Changes when another file takes the addon's place. */
  readonly addon: string;
}

/** The stamp of the addon that is there, or `undefined` where there is none or it cannot be read. */
export function readStamp(context: SetupContext): Stamp | undefined {
  try {
    const stamp: unknown = JSON.parse(readFileSync(buildFiles(context).stamp, 'utf8'));
    return isStamp(stamp) ? stamp : undefined;
  } catch {
    return undefined;
  }
}

function isStamp(value: unknown): value is Stamp {
  if (typeof value !== 'object' || value === null) return false;
  const { libtorch, build, search, addon } = value as Partial<Stamp>;
  const texts = [
    build,
    search,
    addon,
    libtorch?.root,
    libtorch?.lib,
    libtorch?.source,
    libtorch?.version,
    libtorch?.identity,
  ];
  return (
    texts.every((text) => typeof text === 'string') &&
    Array.isArray(libtorch?.include) &&
    Array.isArray(libtorch.searchPath)
  );
}

export function writeStamp(stamp: Stamp, context: SetupContext): void {
  const path = buildFiles(context).stamp;
  writeFileSync(`${path}.new`, `${JSON.stringify(stamp, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

/** What decides where the search for libtorch ends, as far as can be seen without running anything. */
export function searchKey({ env }: Pick<SetupContext, 'env'>): string {
  const { LIBTORCH, LIBTORCH_ARCHIVE, SHALLOWS_LIBTORCH = '' } = env;
  if (LIBTORCH) return JSON.stringify({ LIBTORCH, SHALLOWS_LIBTORCH });
  if (LIBTORCH_ARCHIVE)
    return JSON.stringify({ LIBTORCH_ARCHIVE, archive: fileIdentity(LIBTORCH_ARCHIVE), SHALLOWS_LIBTORCH });
  const python = findCommand('python3', env);
  // Environments of Python are told apart by where the link lies, not by what it points to.
  return JSON.stringify({
    python: python ?? '',
    target: python === undefined ? '' : realpathSync(python),
    SHALLOWS_LIBTORCH,
  });
}
