import { type Device, type DType, noGrad, ops, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../errors.js';
import { copyValues } from './copy-values.js';
import { Buffer, Parameter } from './parameter.js';
import type { Pass } from './pass.js';
import { type LoadReport, matchState, type StateDict } from './state-dict.js';
import { joinPath, placesIn, tensorsIn } from './tree.js';

/**
 * A part of a network: fields that are parameters, buffers and modules, or arrays and plain objects of them, and a
 * `forward`.
 *
 * Fields are found by what they hold; their names in camelCase are PyTorch's in snake_case (`runningMean` is
 * `running_mean`, the second of an array `blocks` is `blocks.1`). `#private` fields are not found. There is no training
 * flag: `forward(x)` evaluates, `forward(x, pass)` does what the pass says.
 */
export abstract class Module<Inputs extends readonly unknown[] = readonly [x: Tensor], Output = Tensor> {
  abstract forward(...args: [...Inputs, pass?: Pass]): Output;

  /**
   * This module under `prefix` and all modules below it, each once, parents first, in the order of their fields.
   *
   * @throws ShallowsError where a module holds itself
   */
  *namedModules(prefix = ''): Generator<[path: string, module: AnyModule]> {
    const seen = new Set<AnyModule>();
    for (const [path, holder] of placesIn(this, prefix, isModule)) {
      if (!isModule(holder) || seen.has(holder)) continue;
      seen.add(holder);
      yield [path, holder];
    }
  }

  /** Every parameter by its key, each once, under its first name. */
  *namedParameters(): Generator<[key: string, parameter: Parameter]> {
    for (const [key, value] of this.#tensors()) if (value instanceof Parameter) yield [key, value];
  }

  /** Every buffer by its key, each once, under its first name. */
  *namedBuffers(): Generator<[key: string, buffer: Buffer]> {
    for (const [key, value] of this.#tensors()) if (value instanceof Buffer) yield [key, value];
  }

  /** Every parameter, in the order of {@link namedParameters}. */
  parameters(): Parameter[] {
    return Array.from(this.namedParameters(), ([, parameter]) => parameter);
  }

  /** The number of learnt elements; what is shared counts once. */
  get parameterCount(): number {
    return this.parameters().reduce((sum, each) => sum + each.numel, 0);
  }

  /**
   * Parameters and buffers by PyTorch's keys and in PyTorch's order; what is shared comes under each of its names. The
   * tensors are the module's own, not copies: they change as it learns.
   */
  stateDict(): StateDict {
    const state: StateDict = {};
    for (const [path, holder] of placesIn(this, '', isModule)) {
      for (const [name, value] of tensorsIn(holder)) state[joinPath(path, name)] = value;
    }
    return state;
  }

  /**
   * Copies values from a state into this module's tensors, cast to their dtype and device.
   *
   * Nothing is copied unless all of it fits.
   * @throws ShallowsError where a value has another shape or is no tensor and, if `strict`, where a key is missing or
   *   unexpected: all at once
   */
  loadStateDict(state: Readonly<StateDict>, { strict = true }: { readonly strict?: boolean } = {}): LoadReport {
    const { pairs, report } = matchState(this.stateDict(), state, strict);
    copyValues(pairs);
    return report;
  }

  /**
   * Moves all parameters and buffers to a device, floating-point ones also to a dtype, and their gradients with them.
   *
   * The tensors stay the same objects, so an optimizer keeps its hold; its momenta do not move, so call this before the
   * first step.
   * @throws ShallowsError for a dtype that cannot be learnt in; TorchError for a device that is not there
   */
  to(options: { readonly device?: Device; readonly dtype?: DType }): this {
    if (typeof options !== 'object' || options === null) {
      throw new ShallowsError(`to: expected { device, dtype }, got ${shown(options)} - write to({ dtype: 'float64' })`);
    }
    const { device, dtype } = options;
    if (dtype !== undefined && !floatingTypes.includes(dtype)) {
      throw new ShallowsError(
        `to: expected a dtype of ${floatingTypes.join(', ')}, got ${shown(dtype)} - integers have no gradient`,
      );
    }
    const target = { ...(device === undefined ? {} : { device }), ...(dtype === undefined ? {} : { dtype }) };
    const where = device === undefined ? {} : { device };
    noGrad(() =>
      scope(() => {
        for (const [, value] of this.#tensors()) {
          const moved = value.to(ops.aten.is_floating_point(value) === true ? target : where);
          if (moved === value) continue;
          const { grad } = value;
          value.grad = null;
          ops.aten.set_data(value, moved);
          if (grad !== null) value.grad = grad.to(target);
        }
      }),
    );
    return this;
  }

  /** Frees all parameters and buffers. The module cannot be used afterwards. */
  dispose(): void {
    for (const [, value] of this.#tensors()) value.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  *#tensors(): Generator<[key: string, tensor: Parameter | Buffer]> {
    const seen = new Set<Tensor>();
    for (const [path, holder] of placesIn(this, '', isModule)) {
      for (const [name, value] of tensorsIn(holder)) {
        if (seen.has(value)) continue;
        seen.add(value);
        yield [joinPath(path, name), value];
      }
    }
  }
}

/** A module of whatever inputs and output. */
export type AnyModule = Module<never, unknown>;

const floatingTypes: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

function isModule(value: unknown): value is AnyModule {
  return value instanceof Module;
}
