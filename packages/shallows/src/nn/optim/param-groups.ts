import { isTensor } from '@shallows/torch';
import { didYouMean, ShallowsError, shown } from '../../errors.js';
import type { Parameter } from '../parameter.js';
import { Settings } from '../settings.js';
import type { ParamGroup } from './optimizer.js';

/** What every optimizer can be told of a group. */
export interface GroupOptions {
  /** Learning rate, from 0. */
  readonly lr: number;
  /** λ, from 0. */
  readonly weightDecay?: number;
}

/** Parameters that share settings; those not given are the optimizer's own. */
export type OptimizerGroup<Options extends GroupOptions> = Partial<Options> & { readonly params: Iterable<Parameter> };

/** What an optimizer takes: `model.parameters()`, or groups of parameters with settings of their own. */
export type Optimized<Options extends GroupOptions> = Iterable<Parameter> | Iterable<OptimizerGroup<Options>>;

/** @internal What an optimizer says of its settings. */
export interface GroupRules<Group extends ParamGroup> {
  /** The optimizer, as messages name it. */
  readonly fn: string;
  /** Every setting but `lr`, with its default. */
  readonly defaults: Omit<Group, 'params' | 'lr' | 'baseLr'>;
  /** Checks the settings that not every optimizer has. */
  check(settings: Settings, values: SettingsOf<Group>): void;
}

/** @internal The settings of a group, without its parameters. */
export type SettingsOf<Group extends ParamGroup> = Omit<Group, 'params' | 'baseLr'>;

/** Parameters that cannot be learnt, in one message. */
const SHOWN = 3;

/** @internal The groups with all their settings, those of `options` where they have none of their own. */
export function parameterGroups<Options extends GroupOptions, Group extends ParamGroup>(
  rules: GroupRules<Group>,
  params: Optimized<Options>,
  options: Options,
): Group[] {
  const { fn } = rules;
  const given = listed(fn, params);
  const grouped = given.length > 0 && given.every(isGroup);
  const sources: readonly { readonly params: unknown }[] = grouped ? given : [{ params: given }];
  const groups = sources.map(({ params: own, ...settings }) => {
    const list = listed(fn, own);
    const wrong = [...list.entries()].filter(([, each]) => !isLearnable(each));
    const values = checkedSettings(rules, { ...options, ...withoutUndefined(settings) }, (check) => {
      for (const [i, each] of wrong.slice(0, SHOWN)) check.expect(false, `parameter ${i}`, 'a live leaf tensor', each);
    });
    return { ...values, params: list, baseLr: values.lr } as unknown as Group;
  });
  const all = groups.flatMap((group) => group.params);
  if (all.length === 0) {
    throw new ShallowsError(`${fn}: expected parameters to train, got none - pass model.parameters()`);
  }
  if (new Set(all).size < all.length) {
    throw new ShallowsError(`${fn}: expected each parameter once, got one twice - list it in one group`);
  }
  return groups;
}

/** @internal Settings with their defaults, once all that is given is found right. */
export function checkedSettings<Group extends ParamGroup>(
  { fn, defaults, check }: GroupRules<Group>,
  given: object,
  more: (settings: Settings) => void = () => {},
): SettingsOf<Group> {
  const values = { ...defaults, ...withoutUndefined(given) } as unknown as SettingsOf<Group>;
  const known = ['lr', ...Object.keys(defaults)];
  const settings = new Settings(fn)
    .number('lr', values.lr, 'from 0', (value) => value >= 0)
    .number('weightDecay', values.weightDecay, 'from 0', (value) => value >= 0);
  check(settings, values);
  for (const name of Object.keys(given)) {
    const right = known.includes(name);
    settings.expect(right, name, `a setting of ${known.join(', ')}${didYouMean(name, known)}`, name);
  }
  more(settings);
  settings.check(`write new ${fn}(model.parameters(), { ${known.join(', ')} })`);
  return values;
}

function listed(fn: string, params: unknown): object[] {
  if (typeof params === 'object' && params !== null && Symbol.iterator in params) return [...(params as object[])];
  throw new ShallowsError(`${fn}: expected a list of parameters, got ${shown(params)} - pass model.parameters()`);
}

function isGroup(value: object): value is { readonly params: unknown } {
  return typeof value === 'object' && value !== null && 'params' in value;
}

function isLearnable(value: object): value is Parameter {
  return isTensor(value) && !value.disposed && value.isLeaf && !isGroup(value);
}

function withoutUndefined(settings: object): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
