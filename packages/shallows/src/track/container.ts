import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** The container that a process runs in. */
export interface ContainerRecord {
  /** Its id, 64 hexadecimal digits; null where only the image is known. */
  readonly id: string | null;
  /** Its image, with its digest where that is known; null where nobody says. */
  readonly image: string | null;
}

/** Schema of `ContainerRecord`. */
export const containerRecord: z.ZodType<ContainerRecord> = z.object({
  id: z.string().nullable(),
  image: z.string().nullable(),
});

/** Options of {@link findContainer}. */
export interface ContainerOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The text of a file; null where there is none. */
  readonly read?: (path: string) => Promise<string | null>;
}

/**
 * The container of this process: its id from what the kernel says of cgroups and mounts, its image from the variable
 * `SHALLOWS_IMAGE` or from Podman. A container cannot see the digest of its own image: set the variable where it is deployed.
 *
 * @returns null outside of a container
 */
export async function findContainer({
  env = process.env,
  read = readText,
}: ContainerOptions = {}): Promise<ContainerRecord | null> {
  const [cgroup, mounts, podman] = await Promise.all([
    read('/proc/self/cgroup'),
    read('/proc/self/mountinfo'),
    read('/run/.containerenv'),
  ]);
  const id =
    /(?:docker|libpod|containerd|crio|kubepods)\S*?\b([0-9a-f]{64})\b/.exec(cgroup ?? '')?.[1] ??
    /\/(?:containers|sandboxes|overlay-containers)\/([0-9a-f]{64})\//.exec(mounts ?? '')?.[1] ??
    /^id="([0-9a-f]{64})"$/m.exec(podman ?? '')?.[1] ??
    null;
  const named = env.SHALLOWS_IMAGE?.trim() ?? '';
  const image = named === '' ? (/^imageid="([^"]+)"$/m.exec(podman ?? '')?.[1] ?? null) : named;
  return id === null && image === null ? null : { id, image };
}

async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
