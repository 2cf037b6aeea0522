import { isTensor, type Tensor } from '@shallows/torch';
import { afterAll, beforeAll, expect } from 'vitest';

/** How far two numbers may be apart: |got − expected| ≤ atol + rtol · |expected|. */
export interface Tolerance {
  readonly rtol?: number;
  readonly atol?: number;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: must repeat vitest's own declaration
  interface Matchers<T = any> {
    /** Compares tensors, arrays or numbers element by element, as `torch.allclose` does; shapes must be equal. */
    toBeAllclose(expected: Tensor | ArrayLike<number | bigint> | number, tolerance?: Tolerance): T;
  }
}

function elements(value: unknown): { shape: readonly number[] | null; values: number[] } {
  if (isTensor(value)) return { shape: value.shape, values: Array.from(value.toArray(), Number) };
  if (typeof value === 'number') return { shape: null, values: [value] };
  return {
    shape: null,
    values: Array.from(value as ArrayLike<number>, Number).flat(Number.POSITIVE_INFINITY) as number[],
  };
}

expect.extend({
  toBeAllclose(received: unknown, wanted: unknown, { rtol = 1e-5, atol = 1e-8 }: Tolerance = {}) {
    const got = elements(received);
    const expected = elements(wanted);
    if (got.shape !== null && expected.shape !== null && got.shape.join() !== expected.shape.join()) {
      return { pass: false, message: () => `expected shape [${expected.shape}], got [${got.shape}]` };
    }
    if (got.values.length !== expected.values.length) {
      return { pass: false, message: () => `expected ${expected.values.length} elements, got ${got.values.length}` };
    }
    let worst = 0;
    let at = -1;
    for (const [i, want] of expected.values.entries()) {
      const have = got.values[i] as number;
      if (Object.is(have, want) || have === want || (Number.isNaN(have) && Number.isNaN(want))) continue;
      const excess = Math.abs(have - want) / (atol + rtol * Math.abs(want));
      if (!(excess <= Math.max(worst, 1))) {
        worst = Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
        at = i;
      }
    }
    return {
      pass: at < 0,
      message: () =>
        at < 0
          ? 'expected the values to differ, but they are close'
          : `element ${at}: expected ${expected.values[at]}, got ${got.values[at]} (${worst.toPrecision(3)} times the tolerance)`,
    };
  },
});

// Warnings fail tests: a test that provokes one names its text in `expectedWarnings` first.
const warnings: Error[] = [];
const collect = (warning: Error): number => warnings.push(warning);
beforeAll(() => {
  process.on('warning', collect);
});
afterAll(async () => {
  // Node emits warnings on the next tick.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', collect);
  const unexpected = warnings.splice(0).filter((each) => !expectedWarnings.has(each.message));
  if (unexpected.length > 0) throw new Error(`expected no warnings, got: ${unexpected.map(String).join('; ')}`);
});

/** Texts of warnings that a test provokes on purpose. */
export const expectedWarnings = new Set<string>();
