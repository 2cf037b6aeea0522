import { z } from 'zod';
import { choice, flag, keys, kinds, text, time, whole } from './fields.js';

const atLeast = Number.MAX_SAFE_INTEGER;

/** How long and how a model is trained. */
export const train = keys({
  duration: time('write how long to train, such as 10ep'),
  batchSize: whole(
    1,
    1_000_000,
    'write the rows in a step, 128 in the paper; with several processes, of all together',
  ).default(128),
  evaluateEvery: time('write how often to evaluate, such as 1ep').default('1ep'),
  trainSubset: whole(1, atLeast, 'write how many training rows are evaluated in evaluation mode').default(1000),
  logEvery: whole(1, atLeast, 'write the batches from one logged loss to the next').default(10),
  microbatches: whole(1, 1_000_000, 'write how many parts of a batch run one after the other, for less memory').default(
    1,
  ),
  dropLast: flag('write true to leave out the last, smaller batch of an epoch').default(false),
  threads: whole(1, 4096, 'leave it out for one thread a core').exactOptional(),
  precision: choice(['float32', 'bfloat16', 'float16'], 'choose what products are computed in').default('float32'),
  channelsLast: z
    .union([z.boolean(), z.literal('auto')], { error: 'true, false or auto - auto measures both' })
    .default(false),
  deterministic: flag('write true to have the same bits in every run, or an error').default(false),
  device: text('a device', 'write cpu or cuda:0').exactOptional(),
  onNonFinite: choice(['stop', 'skip', 'lower'], 'choose what happens at a loss that is not finite').default('stop'),
  logGradNorm: flag('write true to measure the norm of the gradients').default(false),
  batchNorm: choice(
    ['local', 'synchronised'],
    'choose whether batch norm sees the rows of its own process or of all',
  ).exactOptional(),
});

/** What is saved on the way, for a run to go on from. */
export const checkpoint = kinds(
  keys({
    kind: z.literal('local'),
    every: time('write how often to save, such as 1ep or 10m').default('1ep'),
    keep: whole(1, atLeast, 'write how many of the newest to keep').default(2),
    best: keys({
      metric: text('a metric', 'write for example validation.accuracy'),
      mode: choice(['min', 'max'], 'choose max for an accuracy, min for a loss'),
      count: whole(1, atLeast, 'write how many of the best to keep').default(1),
    }).exactOptional(),
    forever: time('write which to keep for ever, such as 10ep').exactOptional(),
    grace: time('write how long a run has to end after a signal, such as 30sec').default('30sec'),
  }),
  keys({ kind: z.literal('none') }),
);
