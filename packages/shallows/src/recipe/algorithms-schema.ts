import { z } from 'zod';
import { choice, keys, kinds, positive, real, time, whole } from './fields.js';

const prob = real(0, 1, 'write the share of the batches that are mixed').default(1);
const buffers = choice(['average', 'copy'], 'choose whether running statistics are averaged too').default('average');

/** What changes how a model is trained, beside stochastic depth and dropout: applied in this order. */
export const algorithms = z
  .array(
    kinds(
      keys({ kind: z.literal('label-smoothing'), smoothing: real(0, 1, 'write 0.1 as in the paper').default(0.1) }),
      keys({ kind: z.literal('mixup'), alpha: positive(1000, 'write 0.2 as in the paper').default(0.2), prob }),
      keys({ kind: z.literal('cutmix'), alpha: positive(1000, 'write 1 as in the paper').default(1), prob }),
      keys({
        kind: z.literal('mixup-or-cutmix'),
        mixup: positive(1000, 'write 0.8 as in DeiT').default(0.8),
        cutmix: positive(1000, 'write 1 as in DeiT').default(1),
        prob,
        switchProb: real(0, 1, 'write the share of the mixed batches that CutMix mixes').default(0.5),
      }),
      keys({
        kind: z.literal('progressive-resizing'),
        initialScale: positive(1, 'write the side of the first pictures as a share of the whole').default(0.5),
        delayFraction: real(0, 1, 'write the share of the run that keeps the first size').default(0.5),
        finetuneFraction: real(0, 1, 'write the share of the run at its end with whole pictures').default(0.2),
        sizeIncrement: whole(1, 4096, 'write the pixels that sides are a multiple of').default(4),
      }),
      keys({
        kind: z.literal('ema'),
        halflife: time('write how long a weight counts half, such as 100ba').exactOptional(),
        decay: real(0, 1, 'write the share of the average that is kept, such as 0.999').exactOptional(),
        buffers,
      }),
      keys({
        kind: z.literal('swa'),
        start: time('write when averaging begins, such as 0.7dur').default('0.7dur'),
        every: time('write how often a weight is averaged, such as 1ep').default('1ep'),
        batches: whole(1, 1_000_000, 'write how many batches the statistics are taken of').default(100),
      }),
      keys({
        kind: z.literal('early-stopping'),
        monitor: z
          .templateLiteral([z.enum(['train', 'validation']), '.', z.string().min(1)], {
            error: 'a metric of train or validation - write for example validation.loss',
          })
          .exactOptional(),
        patience: whole(1, 1_000_000, 'write the evaluations without an improvement that end the run').default(5),
        minDelta: real(0, 1e9, 'write how much better counts as better').default(0),
      }),
      keys({
        kind: z.literal('gradient-clipping'),
        norm: positive(1e9, 'write the largest norm of all gradients, such as 1').exactOptional(),
        value: positive(1e9, 'write the largest size of an element').exactOptional(),
        adaptive: positive(
          1e9,
          'write the largest norm of a gradient as a share of its weights, such as 0.01',
        ).exactOptional(),
      }),
    ),
    { error: "a list of algorithms - write for example [{ kind: mixup }, { kind: ema, halflife: '100ba' }]" },
  )
  .max(50, { error: 'a list of at most 50 algorithms - write each once' })
  .default([]);
