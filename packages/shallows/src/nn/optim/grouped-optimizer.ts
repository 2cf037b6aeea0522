import { clearGrads, gradsOf, noGrad, scope } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import type { Parameter } from '../parameter.js';
import type { Moved } from './moved.js';
import type { Optimizer, OptimizerState, ParamGroup } from './optimizer.js';
import { type GroupOptions, type GroupRules, type Optimized, parameterGroups } from './param-groups.js';
import { ParameterStates } from './parameter-states.js';
import { readState, type StateRules, writeState } from './state-layout.js';

/** @internal What the optimizers share: groups, states, and which parameters a step moves. */
export abstract class GroupedOptimizer<Options extends GroupOptions, Group extends ParamGroup> implements Optimizer {
  abstract readonly name: string;
  readonly groups: readonly Group[];
  readonly #rules: GroupRules<Group> & StateRules<Group>;
  readonly #all: readonly Parameter[];
  readonly #states = new ParameterStates();

  constructor(rules: GroupRules<Group> & StateRules<Group>, params: Optimized<Options>, options: Options) {
    this.#rules = rules;
    this.groups = parameterGroups(rules, params, options);
    this.#all = this.groups.flatMap((group) => group.params);
  }

  /**
   * Moves every parameter that has a gradient.
   *
   * @throws ShallowsError where a group's `lr` or `weightDecay` was set to what is no number from 0; nothing has moved then
   */
  step(): void {
    for (const group of this.groups) {
      this.#requireNumber('an lr', group.lr, 'look at the schedule');
      this.#requireNumber('a weightDecay', group.weightDecay, 'set such a number');
    }
    noGrad(() => scope(() => this.move(this.groups.map((group) => this.#moved(group)))));
  }

  zeroGrad(): void {
    clearGrads(this.#all);
  }

  stateDict(): OptimizerState {
    return writeState(this.#rules, this.groups, this.#states);
  }

  loadStateDict(state: OptimizerState): void {
    const { states, settings } = scope(() => readState(this.#rules, this.groups, this.#states, state));
    this.#states.replace(states);
    for (const [i, group] of this.groups.entries()) Object.assign(group, settings[i]);
  }

  dispose(): void {
    this.#states.dispose();
  }

  /** Moves the parameters of each group; gradients may not be written to. */
  protected abstract move(groups: readonly (readonly Moved[])[]): void;

  #moved({ params }: Group): readonly Moved[] {
    const grads = gradsOf(params);
    const moved: Moved[] = [];
    for (const [i, parameter] of params.entries()) {
      const grad = grads[i];
      if (grad != null) moved.push({ parameter, grad, state: this.#states.begun(parameter) });
    }
    return moved;
  }

  #requireNumber(what: string, value: number, advice: string): void {
    if (value >= 0 && value < Number.POSITIVE_INFINITY) return;
    throw new ShallowsError(`${this.#rules.fn}.step: expected ${what} from 0, got ${shown(value)} - ${advice}`);
  }
}
