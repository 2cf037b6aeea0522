import { noGrad, scope, stack, type Tensor } from '@shallows/torch';

/** As many logits as are widened to float64 at a time: 32 MB. */
const CHUNK = 2 ** 22;

/** The mean negative log likelihood of softmax(β z), and its derivatives by β. */
export interface TemperatureLoss {
  readonly nll: number;
  /** mean (Σ_c p_c z_c − z_target): rises with β, as the likelihood is log-concave in it. */
  readonly slope: number;
  /** mean Var_p(z): the Fisher information of one row. */
  readonly curvature: number;
}

/**
 * @internal
 * @param logits `[N, C]`
 * @param targets int64 `[N]`
 * @param beta 1 / temperature
 */
export function temperatureLoss(logits: Tensor, targets: Tensor, beta: number): TemperatureLoss {
  const [rows = 0, classes = 1] = logits.shape;
  const size = Math.max(1, Math.floor(CHUNK / classes));
  const sums = [0, 0, 0];
  for (let start = 0; start < rows; start += size) {
    const count = Math.min(size, rows - start);
    const part = noGrad(() =>
      scope(() => {
        const raw = logits.narrow(0, start, count).to('float64');
        const z = raw.sub(raw.amax(1, { keepdim: true }));
        const own = z.gather(1, targets.narrow(0, start, count).unsqueeze(1)).squeeze(1);
        const scaled = z.mul(beta);
        const p = scaled.softmax(1);
        const expected = p.mul(z).sum(1);
        const nll = scaled.logsumexp(1).sub(own.mul(beta));
        const spread = p.mul(z.sub(expected.unsqueeze(1)).square()).sum(1);
        return stack([nll.sum(), expected.sub(own).sum(), spread.sum()]).toArray();
      }),
    );
    for (const i of [0, 1, 2]) sums[i] = (sums[i] ?? 0) + Number(part[i]) / rows;
  }
  const [nll = 0, slope = 0, curvature = 0] = sums;
  return { nll, slope, curvature };
}

/** The bounds of ln(1 / T) within which a temperature is looked for. */
export const LOG_BOUND = 16;

/**
 * @internal The β = 1 / T of least loss, by bisection on ln β in [−16, 16]; `null` where it lies at a bound.
 */
export function bestBeta(logits: Tensor, targets: Tensor): number | null {
  const slope = (u: number): number => temperatureLoss(logits, targets, Math.exp(u)).slope;
  let low = -LOG_BOUND;
  let high = LOG_BOUND;
  if (slope(low) >= 0 || slope(high) <= 0) return null;
  // Each step halves 32: after 40 the temperature is known to 3e-11.
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}
