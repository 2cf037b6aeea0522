import { createRequire } from 'node:module';

/** The version of `@shallows/torch`, without loading it. */
export function torchPackageVersion(): string {
  const { version } = createRequire(import.meta.url)('@shallows/torch/package.json') as { version: string };
  return version;
}
