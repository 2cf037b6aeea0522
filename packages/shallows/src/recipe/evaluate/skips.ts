import { earlyExit, findSites, measureWork, sitesToPrune, skippedSites, skipSites } from '../../depth/index.js';
import { evaluation, type Module, type Pass } from '../../nn/index.js';
import type { SkippedDepth } from '../../track/index.js';
import { type ModelInput, zeroRows } from '../model-input.js';

/** Branches that an evaluation leaves out; several of these leave out what any of them does. */
export interface EvaluationSkips {
  /** Names of sites. */
  readonly skip?: readonly string[];
  /** How many sites run, from the first on; the branches after them do not. */
  readonly exitAfter?: number;
  /** Share of the blocks that stays, in [0, 1]; those with the highest drop rates go first. */
  readonly pruneTo?: number;
}

/** The pass that leaves out what is asked for, and what that is; null where nothing is asked for. */
export function withoutSkips(
  model: Module,
  { skip = [], exitAfter, pruneTo }: EvaluationSkips,
  input: ModelInput,
): { readonly pass: Pass; readonly depth: SkippedDepth } | null {
  if (skip.length === 0 && exitAfter === undefined && pruneTo === undefined) return null;
  const pruned = pruneTo === undefined ? [] : sitesToPrune(model, { keepFraction: pruneTo });
  const leave = (start: Pass): Pass =>
    skipSites(model, [...skip, ...pruned], exitAfter === undefined ? start : earlyExit(model, exitAfter, start));
  const pass = leave(evaluation);
  const gone = skippedSites(pass);
  const names = findSites(model).flatMap(({ name, droppable }) => (droppable ? [name] : []));
  using x = zeroRows(input);
  const flops = (by: (pass: Pass) => Pass): number => measureWork((each) => model.forward(x, by(each))).totalFlops;
  return {
    pass,
    depth: {
      skipped: names.filter((name) => gone.has(name)),
      active: names.length - gone.size,
      workSaved: 1 - flops(leave) / flops((whole) => whole),
    },
  };
}
