import { isTensor } from '@shallows/torch';
import { didYouMean, ShallowsError, shown } from '../../errors.js';
import type { Parameter } from '../parameter.js';
import { Settings } from '../settings.js';

/** Settings of one group of parameters. */
export interface SGDOptions {
  /** Learning rate, from 0. */
  readonly lr: number;
  /** Share of the last step's direction that is kept, in [0, 1). */
  readonly momentum?: number;
  /** How much less the new gradient counts in the direction, in [0, 1]. */
  readonly dampening?: number;
  /** Look ahead along the momentum (Nesterov 1983); needs momentum, and no dampening. */
  readonly nesterov?: boolean;
  /** λ of the penalty ½·λ·|w|², from 0. */
  readonly weightDecay?: number;
}

/** Parameters that share settings; those not given are the optimizer's own. */
export interface SGDGroup extends Partial<SGDOptions> {
  readonly params: Iterable<Parameter>;
}

/** A group with all its settings; `lr` may be changed between steps. */
export interface SGDParamGroup extends Required<Omit<SGDOptions, 'lr'>> {
  readonly params: readonly Parameter[];
  lr: number;
  /** The rate that schedules multiply. */
  readonly baseLr: number;
}

const settingNames = ['lr', 'momentum', 'dampening', 'nesterov', 'weightDecay'];

/** @internal The items of what may be iterated. */
export function listed(params: unknown): unknown[] {
  if (typeof params === 'object' && params !== null && Symbol.iterator in params) return [...(params as unknown[])];
  throw new ShallowsError(`SGD: expected a list of parameters, got ${shown(params)} - pass model.parameters()`);
}

/** @internal */
export function isGroup(value: unknown): value is SGDGroup {
  return typeof value === 'object' && value !== null && 'params' in value;
}

/** @internal A group with the optimizer's settings where it has none of its own. */
export function paramGroup({ params, ...own }: SGDGroup, defaults: SGDOptions): SGDParamGroup {
  const given: SGDOptions = { ...defaults, ...withoutUndefined(own) };
  const { lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = given;
  const settings = new Settings('SGD')
    .number('lr', lr, 'from 0', (value) => value >= 0)
    .number('momentum', momentum, 'from 0 to below 1', (value) => value >= 0 && value < 1)
    .number('dampening', dampening, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .number('weightDecay', weightDecay, 'from 0', (value) => value >= 0)
    .flag('nesterov', nesterov);
  if (nesterov === true) {
    settings.expect(momentum !== 0, 'nesterov', 'a momentum above 0 with it', momentum);
    settings.expect(dampening === 0, 'nesterov', 'no dampening with it', dampening);
  }
  for (const name of Object.keys(given)) {
    const known = settingNames.includes(name);
    settings.expect(known, name, `a setting of ${settingNames.join(', ')}${didYouMean(name, settingNames)}`, name);
  }
  const list = listed(params) as Parameter[];
  for (const [i, each] of list.entries()) {
    const learnable = isTensor(each) && !each.disposed && each.isLeaf && !isGroup(each);
    settings.expect(learnable, `parameter ${i}`, 'a live leaf tensor', each);
  }
  settings.check('write new SGD(model.parameters(), { lr, momentum, dampening, nesterov, weightDecay })');
  return { params: list, lr, baseLr: lr, momentum, dampening, nesterov, weightDecay };
}

function withoutUndefined(settings: Partial<SGDOptions>): Partial<SGDOptions> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
