import { clearGrads, noGrad, scope } from '@shallows/torch';
import { evaluation } from '../nn/index.js';
import { orderModel, placed } from './placement.js';
import { inPrecision } from './precision.js';
import type { Run } from './run.js';

const REPEATS = 3;
/** What is chosen must be so much faster: less is noise, and the usual order is the safer one. */
const WORTH = 0.97;

/**
 * Whether steps are faster with channels innermost: measured forward and backward on a batch of zeros, either way in turn.
 * The model is left in the order of the last measurement; nothing else of it has changed.
 */
export function channelsLastPays(run: Run): boolean {
  const { options, ranks, parameters } = run;
  const { model, precision, batchSize, microbatches, train } = options;
  const isConvolution = parameters.some((each) => each.ndim === 4) && train.inputShape.length === 3;
  if (!isConvolution) return false;
  const rows = Math.ceil(batchSize / ranks.size / microbatches);
  const times = { rows: Number.POSITIVE_INFINITY, channels: Number.POSITIVE_INFINITY };
  for (let i = 0; i < 2 * (REPEATS + 1); i++) {
    const channelsLast = i % 2 === 1;
    const place = { ...run.place, channelsLast };
    orderModel(model, channelsLast);
    const start = performance.now();
    scope(() => {
      const x = placed(run.example(rows), place);
      // An evaluation with gradients: it moves no running mean.
      const loss = inPrecision(precision, place.device, () => model.forward(x, evaluation)).sum();
      if (loss.requiresGrad) loss.backward();
      noGrad(() => loss.item());
    });
    clearGrads(parameters);
    const elapsed = performance.now() - start;
    // The first of either way pays for what is made once.
    if (i < 2) continue;
    const which = channelsLast ? 'channels' : 'rows';
    times[which] = Math.min(times[which], elapsed);
  }
  return times.channels < WORTH * times.rows;
}

/** Puts the model of a run where it is to lie and in the order that it is to have; once. */
export function placeRun(run: Run, channelsLast: boolean): void {
  if (run.isPlaced) return;
  const { model, channelsLast: asked } = run.options;
  run.place = { ...run.place, channelsLast };
  model.to({ device: run.place.device });
  if (asked !== false) orderModel(model, channelsLast);
  run.isPlaced = true;
}

/** The order of memory that the options ask for, measured where they leave it open; the same on every rank. */
export async function settledOrder(run: Run): Promise<boolean> {
  const { channelsLast } = run.options;
  if (channelsLast !== 'auto') return channelsLast;
  run.options.model.to({ device: run.place.device });
  const [first = 0] = await run.ranks.fromFirst([channelsLastPays(run) ? 1 : 0]);
  return first === 1;
}
