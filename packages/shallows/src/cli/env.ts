import { torchPackageVersion } from '../recipe/torch-package.js';
import { hostRecord, packageVersion } from '../track/host.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';

/** `shallows env [--json]` */
export default async function env(this: Context, flags: { readonly json: boolean }): Promise<void> {
  const { libtorch, path } = await needAddon(this);
  const { devices, getNumThreads, version } = await import('@shallows/torch');
  const found = devices();
  const { threads, memoryBytes, cores, cpu, platform, arch } = hostRecord({ threads: getNumThreads(), devices: found });
  const facts = {
    versions: {
      shallows: await packageVersion(),
      torch: torchPackageVersion(),
      libtorch: version().libtorch,
      node: process.version,
    },
    libtorch: { source: libtorch.source, root: libtorch.root, cuda: libtorch.cuda, addon: path },
    threads,
    devices: { cpu: found.includes('cpu'), cuda: found.filter((device) => device.startsWith('cuda')) },
    platform: { os: platform, arch, cpu, cores },
    memoryBytes,
  };
  const { stdout } = this.terminal;
  stdout.write(flags.json ? `${JSON.stringify(facts)}\n` : asText(facts));
}

/** Nested facts, one a line: `versions.node  v20.19.0`. */
function asText(facts: object): string {
  return flatten(facts, '')
    .map(([name, value]) => `${name.padEnd(20)}  ${value}\n`)
    .join('');
}

function flatten(facts: object, prefix: string): [name: string, value: string][] {
  return Object.entries(facts).flatMap(([key, value]: [string, unknown]): [string, string][] => {
    const name = `${prefix}${key}`;
    if (Array.isArray(value)) return [[name, value.join(', ') || 'none']];
    if (typeof value === 'object' && value !== null) return flatten(value, `${name}.`);
    return [[name, String(value)]];
  });
}
