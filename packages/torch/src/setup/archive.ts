import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TorchError } from '../errors.js';
import type { SetupContext } from './context.js';
import type { Libtorch } from './libtorch.js';
import { namedLibtorch } from './locate.js';
import { install } from './staging.js';
import { unzip } from './unzip.js';

/** Unpacks the libtorch zip at a path or URL, or finds it as an earlier set-up unpacked it. */
export async function archivedLibtorch(archive: string, context: SetupContext): Promise<Libtorch> {
  const isUrl = /^https?:\/\//.test(archive);
  const name = `archive-${digest(isUrl ? archive : describeFile(resolve(archive)))}`;
  if (!existsSync(join(context.installFolder, name))) {
    await install(context, name, async (folder) => {
      const file = isUrl ? await download(archive, join(folder, 'archive.zip'), context) : resolve(archive);
      context.log(`unpacking ${archive}`);
      await unzip(file, folder);
      if (isUrl) await rm(file);
    });
  }
  const folder = join(context.installFolder, name);
  const inner = join(folder, 'libtorch');
  return namedLibtorch(existsSync(inner) ? inner : folder, 'LIBTORCH_ARCHIVE', context);
}

/** Another file in the same place is another archive. */
function describeFile(path: string): string {
  if (!existsSync(path))
    throw new TorchError(
      `setup: expected LIBTORCH_ARCHIVE to be a libtorch zip file or its URL, got ${path}, which does not exist`,
    );
  const { size, mtimeMs } = statSync(path);
  return `${path} ${size} ${mtimeMs}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

async function download(url: string, path: string, context: SetupContext): Promise<string> {
  context.log(`downloading ${url}`);
  try {
    const response = await fetch(url);
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    await pipeline(response.body, createWriteStream(path));
    return path;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new TorchError(
      `setup: cannot download ${url} (${cause instanceof Error ? cause.message : String(cause)}) - fetch it yourself and give its path in LIBTORCH_ARCHIVE`,
    );
  }
}
