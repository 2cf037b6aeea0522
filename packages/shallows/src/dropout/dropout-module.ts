import type { Tensor } from '@shallows/torch';
import { Module } from '../nn/module.js';
import type { Pass } from '../nn/pass.js';
import { DropoutSite, type DropoutSiteOptions } from './site.js';

/** A module with one place that drops: its rate can be set on a live model. */
export abstract class DropoutModule<Inputs extends readonly unknown[] = readonly [x: Tensor]> extends Module<Inputs> {
  readonly site: DropoutSite;

  protected constructor(kind: string, options: DropoutSiteOptions) {
    super();
    this.site = new DropoutSite(kind, options);
  }

  /** The drop rate, in [0, 1]. */
  get rate(): number {
    return this.site.rate;
  }

  /** @throws ShallowsError for a rate outside [0, 1], NaN included: the rate stays as it was */
  set rate(rate: number) {
    this.site.rate = rate;
  }

  /** Whether it drops anything in a pass. */
  isActive(pass: Pass): boolean {
    return this.site.isActive(pass);
  }
}
