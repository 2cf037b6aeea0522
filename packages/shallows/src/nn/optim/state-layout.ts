import { isTensor, keep, Operator, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { copyValues } from '../copy-values.js';
import type { JsonObject, JsonValue } from '../json.js';
import type { Parameter } from '../parameter.js';
import { formatOf } from './memory-order.js';
import type { OptimizerState, ParamGroup } from './optimizer.js';
import { checkedSettings, type GroupRules, type SettingsOf } from './param-groups.js';
import { newState, type ParameterState, type ParameterStates } from './parameter-states.js';

const emptyLike = new Operator('aten::empty_like');

/** @internal What an optimizer says of its state. */
export interface StateRules<Group extends ParamGroup> {
  /** The tensors of a parameter that was moved under some settings, but for `step`. */
  tensors(settings: SettingsOf<Group>): readonly string[];
  /** Whether it keeps a count of steps for each parameter. */
  readonly counts: boolean;
  /** Settings of PyTorch's groups that this optimizer does not have, and the only value that means what it does. */
  readonly fixed: Readonly<JsonObject>;
}

type Rules<Group extends ParamGroup> = GroupRules<Group> & StateRules<Group>;

/** @internal The state of an optimizer in PyTorch's layout. */
export function writeState<Group extends ParamGroup>(
  { counts, defaults, fixed }: Rules<Group>,
  groups: readonly Group[],
  states: ParameterStates,
): OptimizerState {
  const tensors: Record<string, Tensor> = {};
  let index = 0;
  const written = groups.map((group) => {
    const first = index;
    for (const parameter of group.params) {
      const state = states.of(parameter);
      if (counts && state !== undefined && state.tensors.size > 0)
        tensors[`${index}.step`] = states.stepTensor(parameter);
      for (const [name, tensor] of state?.tensors ?? []) tensors[`${index}.${name}`] = tensor;
      index++;
    }
    const settings = Object.fromEntries(
      Object.keys(defaults).map((name) => [snakeCase(name), (group as unknown as JsonObject)[name] ?? null]),
    );
    const params = group.params.map((_, i) => first + i);
    return { lr: group.lr, ...settings, ...fixed, initial_lr: group.baseLr, params };
  });
  return { tensors, json: { param_groups: written } };
}

/**
 * @internal New states and settings from a state in PyTorch's layout, once all of it is found right. Where the present
 * states have a tensor of the right kind, it takes the values and is in the new states too: no memory is asked for.
 */
export function readState<Group extends ParamGroup>(
  rules: Rules<Group>,
  groups: readonly Group[],
  present: ParameterStates,
  { tensors, json }: OptimizerState,
): { readonly states: Map<Parameter, ParameterState>; readonly settings: readonly object[] } {
  const fn = `${rules.fn}.loadStateDict`;
  const saved = savedGroups(fn, groups, json);
  const problems: string[] = [];
  const settings = saved.map((each, i) => groupSettings(rules, each, `group ${i}`, problems));
  const sources = new Map(Object.entries(tensors));
  const states = new Map<Parameter, ParameterState>();
  const given = new Set(sources.values());
  const copies: (() => readonly [target: Tensor, source: Tensor])[] = [];
  for (const [g, group] of groups.entries()) {
    const own = settings[g];
    const { params = [], step } = saved[g] as { params?: readonly number[]; step?: JsonValue };
    for (const [i, parameter] of group.params.entries()) {
      if (own === null || own === undefined) continue;
      const place = new Place(`${params[i]}`, sources, problems);
      const names = rules.tensors(own);
      if (!place.has([...names, ...(rules.counts ? ['step'] : [])])) continue;
      const state = newState(parameter);
      states.set(parameter, state);
      if (rules.counts) state.steps = place.steps(step);
      for (const name of names) {
        const source = place.like(name, parameter);
        if (source === null) continue;
        copies.push(() => {
          const own = reusable(present.of(parameter), state, name, given) ?? made(parameter, state);
          state.tensors.set(name, own);
          return [own, source];
        });
      }
    }
  }
  for (const key of sources.keys()) problems.push(`${key}: expected a tensor that ${rules.fn} keeps, got another`);
  if (problems.length > 0) {
    const lines = problems.slice(0, SHOWN).join('\n  ');
    const more = problems.length > SHOWN ? `\n  and ${problems.length - SHOWN} more` : '';
    throw new ShallowsError(`${fn}: expected the state of such an optimizer - see each place:\n  ${lines}${more}`);
  }
  copyValues(copies.map((copy) => copy()));
  return { states, settings: settings.filter((each) => each !== null) };
}

const SHOWN = 20;

function savedGroups(fn: string, groups: readonly ParamGroup[], json: JsonValue): readonly JsonObject[] {
  const saved = isObject(json) ? json.param_groups : undefined;
  if (!Array.isArray(saved) || !saved.every(isObject)) {
    throw new ShallowsError(`${fn}: expected json with param_groups, got ${shown(json)} - pass what stateDict() gave`);
  }
  const sizes = (list: readonly number[]): string => `[${list.join(', ')}]`;
  const own = sizes(groups.map(({ params }) => params.length));
  const got = sizes(saved.map(({ params }) => (Array.isArray(params) ? params.length : Number.NaN)));
  if (own === got) return saved;
  throw new ShallowsError(
    `${fn}: expected groups of ${own} parameters, got ${got} - make the optimizer with the groups that the state is of`,
  );
}

function groupSettings<Group extends ParamGroup>(
  rules: Rules<Group>,
  saved: JsonObject,
  where: string,
  problems: string[],
): (SettingsOf<Group> & { readonly baseLr: number }) | null {
  const before = problems.length;
  const given: Record<string, JsonValue> = {};
  for (const name of ['lr', ...Object.keys(rules.defaults)]) {
    const key = snakeCase(name);
    const value = saved[key];
    if (value === undefined) problems.push(`${where}: expected ${key}, got none`);
    else given[name] = value;
  }
  for (const [key, value] of Object.entries(rules.fixed)) {
    const got = saved[key] ?? value;
    if (got !== value) problems.push(`${where}: expected ${key} ${shown(value)}, got ${shown(got)}`);
  }
  const baseLr = saved.initial_lr ?? saved.lr;
  if (typeof baseLr !== 'number') problems.push(`${where}: expected initial_lr to be a number, got ${shown(baseLr)}`);
  if (problems.length > before || typeof baseLr !== 'number') return null;
  try {
    return { ...checkedSettings(rules, given), baseLr };
  } catch (error) {
    if (!(error instanceof ShallowsError)) throw error;
    problems.push(`${where}: ${error.message}`);
    return null;
  }
}

/** The saved tensors of one parameter; what is read is taken out of the sources. */
class Place {
  constructor(
    readonly index: string,
    readonly sources: Map<string, Tensor>,
    readonly problems: string[],
  ) {}

  has(names: readonly string[]): boolean {
    return names.some((name) => this.sources.has(`${this.index}.${name}`));
  }

  /** The count of steps, or that of the whole group, where an optimizer keeps one for all. */
  steps(ofGroup: JsonValue | undefined): number {
    const key = `${this.index}.step`;
    const saved = this.sources.get(key);
    this.sources.delete(key);
    const steps = isTensor(saved) && saved.numel === 1 ? saved.item() : ofGroup;
    if (typeof steps === 'number' && Number.isSafeInteger(steps) && steps >= 0) return steps;
    this.problems.push(`${key}: expected a tensor with a whole number from 0, got ${shown(steps)}`);
    return 0;
  }

  /** A tensor of the parameter's shape. */
  like(name: string, { shape }: Parameter): Tensor | null {
    const key = `${this.index}.${name}`;
    const saved = this.sources.get(key);
    this.sources.delete(key);
    if (!isTensor(saved) || saved.disposed) {
      this.problems.push(`${key}: expected a live tensor, got ${saved === undefined ? 'none' : shown(saved)}`);
    } else if (saved.shape.join() !== shape.join()) {
      this.problems.push(`${key}: expected shape [${shape.join(', ')}], got [${saved.shape.join(', ')}]`);
    } else return saved;
    return null;
  }
}

/** A tensor of the present state that can take new values: none that others are read from. */
function reusable(
  present: ParameterState | undefined,
  { kind, order }: ParameterState,
  name: string,
  given: ReadonlySet<Tensor>,
): Tensor | undefined {
  if (present === undefined || present.kind !== kind || present.order !== order) return undefined;
  const tensor = present.tensors.get(name);
  return tensor !== undefined && given.has(tensor) ? undefined : tensor;
}

function made(parameter: Parameter, { order }: ParameterState): Tensor {
  return keep(emptyLike.call([parameter], { memoryFormat: formatOf(order) }) as Tensor);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `weightDecay` → `weight_decay`. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
