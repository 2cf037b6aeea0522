import { full, gradsOf, Operator, scope, type Tensor, zeros } from '@shallows/torch';
import { ShallowsError, shown } from '../errors.js';
import type { JsonObject } from '../nn/index.js';

const unscale_ = new Operator('aten::_amp_foreach_non_finite_check_and_unscale_');

/** Options of {@link LossScaler}. */
export interface LossScalerOptions {
  /** The first factor. */
  readonly scale?: number;
  /** What the factor is multiplied by after `interval` finite steps. */
  readonly growth?: number;
  /** What it is multiplied by after a step that was not finite, in (0, 1). */
  readonly backoff?: number;
  readonly interval?: number;
}

/**
 * Dynamic loss scaling for `float16`, whose smallest gradients would else be zero: losses are multiplied by a factor, and
 * gradients divided by it before the optimizer sees them. Where a gradient is not finite the step is left out and the factor
 * falls. PyTorch's `GradScaler`, with its defaults: 2¹⁶, doubled every 2,000 steps, halved after an overflow.
 *
 * @see Micikevicius et al., "Mixed Precision Training", 2018
 */
export class LossScaler {
  readonly #growth: number;
  readonly #backoff: number;
  readonly #interval: number;
  #scale: number;
  #finiteSteps = 0;

  /** @throws ShallowsError for settings out of range */
  constructor({ scale = 2 ** 16, growth = 2, backoff = 0.5, interval = 2000 }: LossScalerOptions = {}) {
    const wrong = !(scale > 0 && Number.isFinite(scale))
      ? ['scale', 'a number above 0', scale]
      : !(growth >= 1 && Number.isFinite(growth))
        ? ['growth', 'a factor from 1', growth]
        : !(backoff > 0 && backoff < 1)
          ? ['backoff', 'a factor between 0 and 1', backoff]
          : !(Number.isSafeInteger(interval) && interval >= 1)
            ? ['interval', 'a whole number from 1', interval]
            : null;
    if (wrong !== null) {
      const [field, expected, got] = wrong;
      throw new ShallowsError(
        `LossScaler: ${String(field)}: expected ${String(expected)}, got ${shown(got)} - leave it out`,
      );
    }
    this.#scale = scale;
    this.#growth = growth;
    this.#backoff = backoff;
    this.#interval = interval;
  }

  /** The factor on the next loss. */
  get scale(): number {
    return this.#scale;
  }

  /** The loss to run the backward pass from. */
  scaled(loss: Tensor): Tensor {
    return loss.mul(this.#scale);
  }

  /**
   * Divides the gradients of parameters by the factor, in place.
   *
   * @returns float32 `[1]`: 1 where one of them is not finite, else 0; nothing waits for the device
   */
  unscale(parameters: readonly Tensor[]): Tensor {
    return scope(() => {
      const grads = gradsOf(parameters).filter((each) => each !== null);
      const device = grads[0]?.device ?? 'cpu';
      const found = zeros([1], { device });
      if (grads.length > 0) unscale_.call([grads, found, full([1], 1 / this.#scale, { device })]);
      return found;
    });
  }

  /** After each step: whether its gradients were finite. */
  update(finite: boolean): void {
    if (!finite) {
      this.#scale *= this.#backoff;
      this.#finiteSteps = 0;
      return;
    }
    this.#finiteSteps++;
    if (this.#finiteSteps < this.#interval) return;
    const grown = this.#scale * this.#growth;
    // Beyond float32 there is no such factor.
    if (grown < 2 ** 127) this.#scale = grown;
    this.#finiteSteps = 0;
  }

  stateDict(): JsonObject {
    return { scale: this.#scale, finiteSteps: this.#finiteSteps };
  }

  /** @throws ShallowsError for what is no state of a scaler */
  loadStateDict({ scale, finiteSteps }: JsonObject): void {
    if (typeof scale !== 'number' || !(scale > 0) || typeof finiteSteps !== 'number' || !(finiteSteps >= 0)) {
      throw new ShallowsError(
        `LossScaler.loadStateDict: expected a scale and a count of steps, got ${shown(scale)} and ${shown(finiteSteps)} - pass what stateDict() gave`,
      );
    }
    this.#scale = scale;
    this.#finiteSteps = finiteSteps;
  }
}
