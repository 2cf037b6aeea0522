import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { archivedLibtorch } from './archive.js';
import { buildAddon, buildDigest } from './build.js';
import { buildFiles, type SetupContext, setupContext } from './context.js';
import { describeLibtorch, fileIdentity, type Libtorch, libtorchIdentity } from './libtorch.js';
import { locateLibtorch } from './locate.js';
import { withLock } from './lock.js';
import { pinnedLibtorch } from './pip.js';
import { readStamp, type Stamp, searchKey, writeStamp } from './stamp.js';
import { findTools } from './tools.js';

/** An addon that is ready to be loaded, and the libtorch it was built with. */
export interface Addon {
  readonly path: string;
  readonly libtorch: Libtorch;
}

/** What {@link ensureAddon} may be told. */
export interface EnsureOptions extends Partial<SetupContext> {
  /** Searches for libtorch and builds even where nothing has changed. */
  readonly force?: boolean;
}

/**
 * Makes sure that the addon is built and fits the libtorch of this machine; installs one where there is none. Takes a
 * few milliseconds where nothing has changed. Several processes may call it at once.
 *
 * @throws TorchError that names what is missing and the command that installs it.
 */
export async function ensureAddon({ force = false, ...replaced }: EnsureOptions = {}): Promise<Addon> {
  const context = setupContext(replaced);
  const ready = force ? undefined : readyAddon(context);
  if (ready !== undefined) return ready;
  const { folder, lock } = buildFiles(context);
  mkdirSync(folder, { recursive: true });
  // Whoever waited for another set-up finds its work done.
  return await withLock(
    lock,
    context.log,
    async () => (force ? undefined : readyAddon(context)) ?? (await setUp(force, context)),
  );
}

/** The addon that is there, or `undefined` where there is none. It may be out of date: see {@link ensureAddon}. */
export function installedAddon(replaced: Partial<SetupContext> = {}): Addon | undefined {
  const context = setupContext(replaced);
  const stamp = readStamp(context);
  const { addon } = buildFiles(context);
  return stamp === undefined || !existsSync(addon) ? undefined : { path: addon, libtorch: stamp.libtorch };
}

function readyAddon(context: SetupContext): Addon | undefined {
  const stamp = readStamp(context);
  if (stamp === undefined || stamp.search !== searchKey(context)) return undefined;
  return isBuilt(stamp, stamp.libtorch, context)
    ? { path: buildFiles(context).addon, libtorch: stamp.libtorch }
    : undefined;
}

function isBuilt(stamp: Stamp | undefined, libtorch: Libtorch, context: SetupContext): boolean {
  return (
    stamp !== undefined &&
    stamp.addon === fileIdentity(buildFiles(context).addon) &&
    libtorch.identity === libtorchIdentity(libtorch.lib, context) &&
    stamp.build === buildDigest(libtorch, context)
  );
}

async function setUp(force: boolean, context: SetupContext): Promise<Addon> {
  const { addon, log } = buildFiles(context);
  writeFileSync(log, '');
  // Before anything is fetched, so that a bare machine hears at once of all it lacks.
  await findTools(context);
  const libtorch = (await locateLibtorch(context)) ?? (await bringLibtorch(context));
  context.log(describeLibtorch(libtorch));
  const stamp = readStamp(context);
  // Taken first: a source that changes during the build is not in it.
  const build = buildDigest(libtorch, context);
  if (force || !isBuilt(stamp, libtorch, context)) {
    context.log('building the addon (a minute or two)');
    const start = performance.now();
    await buildAddon(libtorch, context);
    context.log(`built in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  }
  writeStamp({ libtorch, build, search: searchKey(context), addon: fileIdentity(addon) }, context);
  return { path: addon, libtorch };
}

async function bringLibtorch(context: SetupContext): Promise<Libtorch> {
  const archive = context.env.LIBTORCH_ARCHIVE;
  return archive ? await archivedLibtorch(archive, context) : await pinnedLibtorch(context);
}
