import type { Tensor } from '@shallows/torch';
import type { Module } from './module.js';
import type { Pass } from './pass.js';

/** A layer that changes what it is given in some passes only, such as a dropout; in all others it returns it as it is. */
export interface Stochastic {
  /** Whether it changes anything in a pass: where it does not, faster operators may be used. */
  isActive(pass: Pass): boolean;
  /** Its place in the model, where it has one. */
  readonly site?: { readonly name: string };
}

/** A stochastic layer on one tensor. */
export type StochasticLayer = Module & Stochastic;

/** A dropout of states: one mask for all steps of a sequence. */
export interface StateDropout extends Module, Stochastic {
  /** Draws the mask of a sequence, for states like this one `[B, H]`, and returns what applies it. */
  lock(state: Tensor, pass: Pass): (state: Tensor) => Tensor;
}

/** @internal The place of a layer, by name. */
export function placeOf(layer: Stochastic | null): string {
  return layer?.site?.name ?? '';
}

/** @internal Whether a layer is there and active. */
export function isActive(layer: StochasticLayer | null, pass: Pass): layer is StochasticLayer {
  return layer?.isActive(pass) === true;
}
