import { type DescribedSet, dataRecord, type RunStart } from '../../packages/shallows/src/track/index.js';

/** A set of four rows. */
export function describedSet(name: string, digest: string): DescribedSet {
  return {
    name,
    task: 'classification',
    size: 4,
    digest,
    classes: ['a', 'b'],
    classCounts: [3, 1],
    segmentCounts: null,
  };
}

/** What a small run starts with. */
export const runStart: RunStart = {
  name: 'net',
  command: ['shallows', 'train', 'a b.yaml'],
  recipe: {
    name: 'net',
    depth: { kind: 'none' },
    optimizer: { kind: 'sgd', lr: 0.1 },
    train: { duration: '2ep', trainSubset: 2 },
  },
  seed: 3,
  keys: { root: '0000000000000003' },
  versions: { torch: '0.1.0', libtorch: '2.13.0' },
  threads: 2,
  devices: ['cpu'],
  data: dataRecord({ train: describedSet('toy', 'a'), validation: describedSet('toy', 'b') }),
  model: { name: 'mlp', parameters: 12, sites: [] },
};
