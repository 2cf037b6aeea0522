import { z } from 'zod';
import { choice, flag, keys, kinds, list, positive, real, time, whole } from './fields.js';

const share = (advice: string, fallback: number) =>
  real(0, 1, advice)
    .refine((value) => value < 1, { error: `a number from 0, below 1 - ${advice}` })
    .default(fallback);

const common = {
  lr: positive(1e6, 'write the highest learning rate of the schedule, 0.1 in the paper'),
  exempt: choice(['none', 'norms-and-biases'], 'choose norms-and-biases to let only weights decay').default('none'),
};

const decay = (fallback: number) => real(0, 1e6, 'write for example 1e-4').default(fallback);
const eps = (fallback: number) => real(0, 1, 'write a small number, such as 1e-8').default(fallback);

const betas = z
  .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)], {
    error: 'two numbers from 0, below 1 - write for example [0.9, 0.999]',
  })
  .default([0.9, 0.999]);

/** The optimizers. */
export const optimizer = kinds(
  keys({
    kind: z.literal('sgd'),
    ...common,
    momentum: real(0, 1, 'write 0.9 as in the paper')
      .refine((momentum) => momentum < 1, { error: 'a momentum below 1 - write 0.9 as in the paper' })
      .default(0),
    nesterov: flag('write true with a momentum above 0').default(false),
    weightDecay: real(0, 1e6, 'write 1e-4 as in the paper').default(0),
  }),
  ...(['adam', 'adamw'] as const).map((kind) =>
    keys({
      kind: z.literal(kind),
      ...common,
      betas,
      eps: eps(1e-8),
      weightDecay: decay(kind === 'adamw' ? 0.01 : 0),
      amsgrad: flag('write true to divide by the largest mean square so far').default(false),
    }),
  ),
  keys({
    kind: z.literal('rmsprop'),
    ...common,
    alpha: share('write the share of the mean square that is kept, such as 0.99', 0.99),
    eps: eps(1e-8),
    momentum: share('write the share of the last direction that is kept, such as 0.9', 0),
    centered: flag('write true to divide by the standard deviation').default(false),
    weightDecay: decay(0),
  }),
  keys({ kind: z.literal('lamb'), ...common, betas, eps: eps(1e-6), weightDecay: decay(0.01) }),
);

const final = real(0, 1, 'write the last learning rate as a share of the highest').default(0);
const warmup = time('write how long the learning rate rises, such as 5ep').default('0ba');

/** The learning rate over time. */
export const schedule = kinds(
  keys({ kind: z.literal('constant'), warmup }),
  keys({
    kind: z.literal('multi-step'),
    milestones: list(
      time('write a number and a unit, such as 0.5dur'),
      'a list of 1 to 10000 times',
      "write when the learning rate falls, such as ['0.5dur', '0.75dur']",
    ),
    gamma: positive(1, 'write what the learning rate is multiplied by at each milestone').default(0.1),
    warmup,
  }),
  keys({ kind: z.literal('cosine'), warmup, final }),
  keys({
    kind: z.literal('polynomial'),
    warmup,
    final,
    power: positive(100, 'write 1 for a straight line').default(1),
  }),
  keys({
    kind: z.literal('exponential'),
    gamma: positive(1, 'write what the learning rate is multiplied by over one epoch'),
    warmup,
  }),
  keys({
    kind: z.literal('one-cycle'),
    peak: real(0, 1, 'write the share of the duration after which the learning rate is highest').default(0.3),
  }),
  keys({
    kind: z.literal('plateau'),
    metric: z.string({ error: 'a metric - write for example loss or accuracy' }).min(1).default('loss'),
    gamma: positive(1, 'write what the learning rate is multiplied by').default(0.1),
    patience: whole(0, 1_000_000, 'write the evaluations without an improvement that are waited for').default(10),
  }),
);
