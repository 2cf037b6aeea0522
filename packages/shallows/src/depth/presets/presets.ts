import { composer, huang2016, nemo, pld } from './blocks.js';
import { dinov2, efficientnet, kerasCv, timm, torchtune, torchvision } from './rows.js';

/**
 * Policies that do what other systems do, by the systems' names: `presets.timm({ drop: 0.1 })`. Each has the system's defaults;
 * every field of a policy can be given beside its own options, and replaces what the system has.
 *
 * | preset | rate of block l of L | drops | kept counts | evaluation |
 * |---|---|---|---|---|
 * | `huang2016` | p · l / L, p = 0.5 | blocks | 1 | keep · branch |
 * | `composer` | p · l / L, p = 0.2 | blocks, or rows (mask) | 1 | keep · branch |
 * | `torchvision` | p · (l − 1) / (L − 1), EfficientNet p · (l − 1) / L | rows (mask) | 1/keep | branch |
 * | `timm` | p · (l − 1) / (L − 1), EfficientNet p · (l − 1) / L, p = 0 | rows (mask) | 1/keep | branch |
 * | `efficientnet` | p · (l − 1) / L, p = 0.2 | rows (mask) | 1/keep | branch |
 * | `kerasCv` | p · (l − 1) / L, p = 0.2 | rows (mask), or blocks (mask) | 1/keep, or 1 | branch, or keep · branch |
 * | `dinov2` | p = 0.3 | rows (subset of fixed size) | b/k | branch |
 * | `torchtune` | p = 0 | rows (subset) | 1 | branch |
 * | `pld` | (l / L) · p · (1 − e^(−γt)), p = 0.5, γ = 0.001 | blocks | 1/keep | branch |
 * | `nemo` | p · l / L after the first layers, p = 0 | blocks (mask) | 1/keep | branch |
 *
 * Masks are chosen where the system has them, for parity; they save nothing. What each does differently is in its own
 * comment; the numbers come from the systems themselves (`tests/conformance/presets.py`).
 */
export const presets = Object.freeze({
  huang2016,
  composer,
  torchvision,
  timm,
  dinov2,
  efficientnet,
  kerasCv,
  torchtune,
  pld,
  nemo,
});

/** The name of a preset. */
export type PresetName = keyof typeof presets;
