import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { modelNames } from '../../models/index.js';
import { Policy, rateSites } from '../index.js';
import { type Advice, type AdviceOptions, adviceCodes, advise } from './advice.js';
import { usualRates } from './usual.js';

type Given = Partial<Omit<AdviceOptions, 'sites' | 'policy'>> & {
  readonly policy: Parameters<typeof Policy>[0];
  readonly blocks?: number;
};

function advice({ policy, blocks = 54, ...others }: Given): readonly Advice[] {
  const made = Policy(policy);
  const names = Array.from({ length: blocks }, (_, i) => `block.${i}`);
  return advise({ sites: rateSites(made, names), policy: made, parameters: 1_727_962, ...others });
}
const found = (given: Given, code: string): Advice | undefined => advice(given).find((each) => each.code === code);

/** For each code: what fires it, a part of what it then says, and what is nearly the same and does not. */
const cases: Record<string, { readonly fires: readonly [Given, string][]; readonly silent: readonly Given[] }> = {
  'nothing-dropped': {
    fires: [[{ policy: { drop: 0 } }, 'Every rate is 0']],
    silent: [{ policy: { drop: 0.01 } }, { policy: { drop: 0.5, budget: 0 } }],
  },
  'budget-zero': {
    fires: [[{ policy: { drop: 0.5, budget: 0 } }, 'A budget of 0 drops no block']],
    silent: [{ policy: { drop: 0.5, budget: 1 } }, { policy: { drop: 0.5 } }],
  },
  'never-trained': {
    fires: [
      [{ policy: { drop: 1 } }, 'block.53 never runs in training and keeps its initial weights'],
      [{ policy: { drop: 1, schedule: 'uniform' } }, 'block.0, block.1, block.2 and 51 more never run in training'],
    ],
    silent: [{ policy: { drop: 0.99 } }],
  },
  'few-blocks': {
    fires: [
      [{ policy: { drop: 0.1 }, blocks: 4 }, 'A network of 4 blocks has little depth to spare. Start from 0.1'],
      [{ policy: { drop: 0.1 }, blocks: 1 }, 'A network of 1 block has'],
      [{ policy: { drop: 0.5 }, blocks: 9 }, 'A network of 9 blocks has little depth to spare for a rate of 0.5'],
    ],
    silent: [
      { policy: { drop: 0 }, blocks: 4 },
      { policy: { drop: 0.2 }, blocks: 9 },
      { policy: { drop: 0.5 }, blocks: 12 },
    ],
  },
  'single-block': {
    fires: [[{ policy: { drop: 0.3 }, blocks: 1 }, "With one block the schedule 'linear' gives it the whole rate 0.3"]],
    silent: [
      { policy: { drop: 0.3 }, blocks: 2 },
      { policy: { rates: [0.3], schedule: 'list' }, blocks: 1 },
    ],
  },
  'first-blocks': {
    fires: [[{ policy: { drop: 0.4, schedule: 'uniform' } }, 'The first block is dropped at 0.4']],
    silent: [
      { policy: { drop: 0.4 } },
      { policy: { drop: 0.2, schedule: 'uniform' } },
      { policy: { drop: 0.4, schedule: 'uniform', protect: { first: 2 } } },
      { policy: { drop: 0.6 }, blocks: 2 },
    ],
  },
  'deep-rate': {
    fires: [
      [{ policy: { drop: 0.7 } }, 'A top rate of 0.7 is above what helped'],
      [{ policy: { drop: 0.8 } }, 'what is won is time, not accuracy'],
    ],
    silent: [{ policy: { drop: 0.6 } }],
  },
  'above-usual': {
    fires: [
      [
        { policy: { drop: 0.5, schedule: 'linspace' }, family: 'convnext', parameters: 28_589_128, blocks: 18 },
        'The top rate 0.5 is above the 0.1 of ConvNeXt-T, the nearest published network in size (28.6 M parameters, this one 28.6 M). Try 0.1 too.',
      ],
      [
        { policy: { drop: 0.5 }, family: 'efficientnet', parameters: 5_288_548, blocks: 16 },
        'of EfficientNet, the published rate for networks of this kind',
      ],
      [{ policy: { drop: 0.4 }, family: 'vit', parameters: 86_567_656, blocks: 12 }, 'above the 0.2 of ViT-B'],
    ],
    silent: [
      { policy: { drop: 0.5 }, family: 'convnext', parameters: 88_591_464, blocks: 36 },
      { policy: { drop: 0.1 }, family: 'vit', parameters: 5_717_416, blocks: 12 },
      { policy: { drop: 0.5 }, family: 'cifar-resnet' },
      { policy: { drop: 0.5 }, family: 'my-net', parameters: 28_589_128 },
      { policy: { drop: 0.5 }, parameters: 28_589_128 },
    ],
  },
  'below-usual': {
    fires: [
      [
        { policy: { drop: 0.1 }, family: 'swin', parameters: 87_768_224, blocks: 24 },
        'The top rate 0.1 is below half of the 0.5 of Swin-B',
      ],
    ],
    silent: [
      { policy: { drop: 0.1 }, family: 'swin', parameters: 28_288_354, blocks: 12 },
      { policy: { drop: 0.1 }, family: 'cifar-resnet', parameters: 269_722, blocks: 9 },
      { policy: { drop: 0.1 }, parameters: 87_768_224 },
    ],
  },
  'no-block-left': {
    fires: [
      [{ policy: { drop: 0.5 }, blocks: 3 }, 'No block at all runs for 2.8 % of the steps'],
      [{ policy: { drop: 0.5, unit: 'row' }, blocks: 3, batchSize: 64 }, '2.8 % of the samples'],
    ],
    silent: [
      { policy: { drop: 0.5 } },
      { policy: { drop: 0.5, budget: 1 }, blocks: 3 },
      { policy: { drop: 0.5, unit: 'row' }, blocks: 3 },
    ],
  },
  'mask-saves-nothing': {
    fires: [
      [{ policy: { drop: 0.5, execution: 'mask' } }, "Use 'gate' or 'auto'"],
      [{ policy: { drop: 0.5, unit: 'row', execution: 'mask' } }, "Use 'subset' or 'auto'"],
    ],
    silent: [{ policy: { drop: 0.5 } }, { policy: { drop: 0.5, execution: 'auto' } }],
  },
  'small-subsets': {
    fires: [[{ policy: { drop: 0.3, unit: 'row' } }, '18 of 54 sites drop a tenth of the rows or less']],
    silent: [
      { policy: { drop: 0.3, unit: 'row', execution: 'auto' } },
      { policy: { drop: 0.3, unit: 'row', schedule: 'uniform' } },
      { policy: { drop: 0.05 } },
    ],
  },
  'batch-norm-few-rows': {
    fires: [
      [{ policy: { drop: 0.5, unit: 'row' }, batchNorm: true, batchSize: 24 }, 'sees 12 of 24 rows'],
      [{ policy: { drop: 0.5, unit: 'row' }, batchNorm: true, batchSize: 8 }, 'sees 4 of 8 rows'],
    ],
    silent: [
      { policy: { drop: 0.5, unit: 'row' }, batchNorm: true, batchSize: 32 },
      { policy: { drop: 0.5, unit: 'row' }, batchNorm: false, batchSize: 24 },
      { policy: { drop: 0.5, unit: 'row', execution: 'mask' }, batchNorm: true, batchSize: 24 },
      { policy: { drop: 0.5, unit: 'row' }, batchNorm: true },
      { policy: { drop: 0.5 }, batchNorm: true, batchSize: 24 },
    ],
  },
  'rows-round': {
    fires: [
      [
        { policy: { drop: 0.5, unit: 'row' }, batchSize: 32 },
        'block.0, block.1, block.2: less than one row of 32 is dropped',
      ],
      [
        {
          policy: { drop: 0.3, unit: 'row', schedule: 'uniform', count: 'dinov2', scale: 'realised' },
          batchSize: 8,
        },
        'block.0 drops 0.375 where 0.3 is asked for',
      ],
      [
        { policy: { drop: 0.3, unit: 'row', schedule: 'uniform', count: 'dinov2', scale: 'realised' }, batchSize: 1 },
        'block.0 drops 0 where 0.3 is asked for',
      ],
    ],
    silent: [
      { policy: { drop: 0.5, unit: 'row' }, batchSize: 128 },
      { policy: { drop: 0.5, unit: 'row', rows: 'independent' }, batchSize: 32 },
      {
        policy: { drop: 0.25, unit: 'row', schedule: 'uniform', count: 'dinov2', scale: 'realised' },
        batchSize: 8,
      },
      { policy: { drop: 0.5, unit: 'row' } },
      { policy: { drop: 0.5 }, batchSize: 32 },
    ],
  },
  'projected-shortcuts': {
    fires: [
      [{ policy: { drop: 0.5 }, projected: ['block.18'] }, 'block.18 projects its shortcut, which runs in every step'],
      [{ policy: { drop: 0.5 }, projected: ['block.18', 'block.36'] }, 'block.18, block.36 project their shortcuts'],
    ],
    silent: [{ policy: { drop: 0.5 } }, { policy: { drop: 0.5, select: '19:' }, projected: ['block.18'] }],
  },
  'strong-regularizers': {
    fires: [
      [
        {
          policy: { drop: 0.5 },
          regularizers: { dropout: 0.2, labelSmoothing: 0.1, mixup: 0.8 },
          epochs: 300,
        },
        'A mean drop rate of 0.255 beside dropout 0.2, label smoothing 0.1, mixup 0.8 is 4.0 times a full measure',
      ],
      [{ policy: { drop: 0.5 }, regularizers: { dropout: 0.2, labelSmoothing: 0.1 }, epochs: 30 }, 'for 30 epochs'],
    ],
    silent: [
      { policy: { drop: 0.5 }, regularizers: { dropout: 0.2, labelSmoothing: 0.1 }, epochs: 300 },
      { policy: { drop: 0.1 }, regularizers: { labelSmoothing: 0.1, mixup: 0.8, cutmix: 1 } },
      { policy: { drop: 1, schedule: 'uniform' } },
      { policy: { drop: 0 }, regularizers: { dropout: 0.5, labelSmoothing: 0.1, mixup: 0.8 } },
    ],
  },
  'short-training': {
    fires: [
      [
        { policy: { drop: 0.5 }, epochs: 30 },
        "30 epochs are few for a mean drop rate of 0.255: a block gets 75 % of its updates. A network that still underfits gains from dropping early alone: time: { kind: 'early', length: '5ep' }.",
      ],
    ],
    silent: [
      { policy: { drop: 0.5 }, epochs: 50 },
      { policy: { drop: 0.2 }, epochs: 30 },
      { policy: { drop: 0.5 } },
      { policy: { drop: 0.5, time: { kind: 'early', length: '5ep' } }, epochs: 30 },
    ],
  },
  'paper-scale-over-time': {
    fires: [[{ policy: { drop: 0.5, scale: 'paper', time: { kind: 'warmup', length: '5ep' } } }, "('warmup')"]],
    silent: [
      { policy: { drop: 0.5, scale: 'paper' } },
      { policy: { drop: 0.5, time: { kind: 'warmup', length: '5ep' } } },
    ],
  },
  unscaled: {
    fires: [[{ policy: { drop: 0.5, scale: 'none' } }, "Scale 'none' leaves the network in evaluation 1.34 times"]],
    silent: [{ policy: { drop: 0.1, scale: 'none' } }, { policy: { drop: 0.5 } }],
  },
  'ranks-wait': {
    fires: [[{ policy: { drop: 0.5, ranks: 'independent' }, ranks: 8 }, 'Each of 8 ranks drops other blocks']],
    silent: [
      { policy: { drop: 0.5, ranks: 'independent' } },
      { policy: { drop: 0.5 }, ranks: 8 },
      { policy: { drop: 0.5, ranks: 'independent', budget: 3 }, ranks: 8 },
    ],
  },
};

test('every advice has a case, and a place in the guide', () => {
  expect(Object.keys(cases)).toEqual(adviceCodes);
  const guide = readFileSync(new URL('../../../../../docs/planning.md', import.meta.url), 'utf8');
  for (const code of adviceCodes) expect(guide).toContain(`\`${code}\``);
});

describe.each(Object.entries(cases))('%s', (code, { fires, silent }) => {
  test.each(fires)('fires %#', (given, message) => {
    const each = found(given, code);
    expect(each?.message).toContain(message);
    expect(each?.message).toMatch(/^[A-Za-z0-9].*\.$/);
    expect(each?.message).not.toMatch(/NaN|undefined|Infinity/);
    expect(each?.source.length).toBeGreaterThan(8);
  });

  test.each(silent.map((given) => [given]))('is silent %#', (given) => {
    expect(found(given, code)).toBeUndefined();
  });
});

describe('advise', () => {
  test("has nothing to say about the paper's own recipe", () => {
    expect(
      advice({ policy: { drop: 0.5 }, family: 'cifar-resnet', epochs: 500, batchSize: 128, batchNorm: true }),
    ).toEqual([]);
  });

  test('puts warnings first, as frozen plain data', () => {
    const all = advice({ policy: { drop: 0.9, schedule: 'uniform', execution: 'mask', scale: 'none' }, blocks: 5 });
    expect(all.length).toBeGreaterThan(3);
    const severities = all.map(({ severity }) => severity);
    expect(severities).toEqual(severities.toSorted().reverse());
    expect(severities).toContain('note');
    expect(JSON.parse(JSON.stringify(all))).toEqual(all);
    expect([all, ...all].every(Object.isFrozen)).toBe(true);
  });

  test('sites of one block count as one layer', () => {
    const policy = Policy({ drop: 0.1 });
    const places = ['attention', 'mlp'].flatMap((kind) =>
      Array.from({ length: 5 }, (_, layer) => ({ name: `blocks.${layer}.${kind}`, kind, layer, droppable: true })),
    );
    const all = advise({ sites: rateSites(policy, places), policy, parameters: 1e6 });
    expect(all.find(({ code }) => code === 'few-blocks')?.message).toContain('A network of 5 blocks');
  });

  test('refuses what is no policy', () => {
    const raw = { drop: 0.5 } as unknown as Policy;
    expect(() => advise({ sites: [], policy: raw, parameters: 1 })).toThrow('advise: expected a policy, got an object');
  });
});

test('published rates are of models that exist, and grow with size', () => {
  for (const [family, { rates, source }] of Object.entries(usualRates)) {
    expect(modelNames).toContain(family);
    expect(source).not.toBe('');
    const drops = rates.map(({ drop }) => drop);
    expect(drops).toEqual(drops.toSorted((a, b) => a - b));
  }
});
