import { Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { batchPlan, refusePictureOptions, rowPicker } from '../batch-plan.js';
import type { BatchOptions, Dataset } from '../dataset.js';
import type { TokenStore } from './token-store.js';

/** What {@link tokenDataset} needs. */
export interface TokenDatasetOptions {
  readonly name: string;
  readonly store: TokenStore;
  readonly dispose: () => void;
  /** First token. */
  readonly from: number;
  /** The token after the last one. */
  readonly to: number;
  readonly context: number;
  readonly stride: number;
  readonly vocabulary: number;
  readonly digest: string;
  /** Most rows. */
  readonly limit?: number;
}

const narrow = new Operator('aten::narrow');

/** Windows of tokens: row r is the T tokens from r · stride on, its target the T tokens one further. */
export function tokenDataset(options: TokenDatasetOptions): Dataset {
  const { name, store, dispose, from, to, context, stride, vocabulary, digest, limit } = options;
  for (const [key, value] of Object.entries({ context, stride })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new ShallowsError(`loadData: expected a whole number from 1 as ${key}, got ${shown(value)} - correct it`);
  }
  const whole = Math.floor((to - from - context - 1) / stride) + 1;
  if (to - from < context + 1) {
    throw new ShallowsError(
      `loadData: expected at least ${context + 1} tokens in ${name}, got ${to - from} - write a smaller context or give more text`,
    );
  }
  const dataset: Dataset = Object.freeze({
    name,
    task: 'language',
    size: Math.min(whole, limit ?? whole),
    digest,
    inputShape: Object.freeze([context]),
    inputDtype: 'int64',
    targetShape: Object.freeze([context]),
    classes: null,
    classCounts: null,
    vocabulary,
    segmentCounts: null,
    batches: (batchOptions: BatchOptions) => {
      refusePictureOptions(name, batchOptions);
      const plan = batchPlan(dataset.size, batchOptions);
      const pick = rowPicker(plan);
      return {
        length: plan.length,
        at(i: number) {
          const indices = pick(i);
          return scope(() => {
            const windows = store.gather(
              Array.from(indices, (row) => from + row * stride),
              context + 1,
            );
            const part = (start: number) => (narrow.call([windows, 1, start, context]) as Tensor).contiguous();
            return { inputs: part(0), targets: part(1), indices, size: indices.length };
          });
        },
      };
    },
    dispose,
    [Symbol.dispose]: dispose,
  });
  return dataset;
}
