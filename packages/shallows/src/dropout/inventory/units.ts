import type { AnyModule } from '../../nn/module.js';
import { EmbeddingDropout } from '../embedding-dropout.js';
import { LockedDropout } from '../locked-dropout.js';

/** What a mask decides about. */
export interface Units {
  /** Decisions for each row; for weights, for all rows. Null where not known. */
  readonly fanIn: number | null;
  /** Width of what is dropped: features or channels. */
  readonly features: number | null;
}

/**
 * Units of a dropout on an input of some shape.
 *
 * @param layer the operator before: after convolutions channels are the second dimension, else features the last
 */
export function unitsOf(
  granularity: string,
  shape: readonly number[] | null,
  layer: string | null,
  module: AnyModule | null,
): Units {
  if (granularity === 'row') return { fanIn: 1, features: null };
  if (shape === null) return { fanIn: null, features: null };
  const numel = shape.reduce((a, b) => a * b, 1);
  if (granularity === 'weight') return { fanIn: numel, features: null };
  const last = shape.at(-1) ?? 1;
  if (granularity === 'word')
    return { fanIn: module instanceof EmbeddingDropout ? module.entries : null, features: last };
  if (granularity === 'feature') return { fanIn: last, features: last };
  const channels = shape[1] ?? 1;
  if (granularity === 'channel') return { fanIn: channels, features: channels };
  const rows = shape[module instanceof LockedDropout && !module.batchFirst ? 1 : 0] ?? 1;
  const byChannel =
    shape.length > 3 ? layer === null || /^conv|batch_norm$/.test(layer) : layer === 'conv1d' && shape.length === 3;
  return { fanIn: numel / Math.max(rows, 1), features: byChannel ? channels : last };
}
