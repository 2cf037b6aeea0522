import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, type Key, normal, uniform } from '../../random/index.js';
import type { DataSplits } from '../splits.js';
import { seriesWindows, type WindowOptions } from './windows.js';

/** The generated series: see `seasonal`. */
export interface SeasonalConfig extends WindowOptions {
  readonly kind: 'seasonal';
  /** Length of the series. */
  readonly steps: number;
  readonly channels?: number | undefined;
  /** Standard deviation of the noise; the day's swing has amplitude 1. */
  readonly noise?: number | undefined;
}

/** Options of {@link seasonal}. */
export interface SeasonalOptions {
  readonly key: Key;
  readonly steps: number;
  readonly channels?: number;
  readonly noise?: number;
}

/**
 * Generated hourly series with two seasons: x(t) = sin(2π t / 24 + φ) + ½ sin(2π t / 168 + ψ) + n(t), each channel with phases
 * of its own, and noise with a memory, n(t) = 0.8 n(t − 1) + 0.6 · noise · N(0, 1), whose standard deviation is `noise`.
 *
 * @returns `[steps, channels]`, row-major; a function of the arguments, and more steps do not change the first ones
 * @throws ShallowsError for options out of range
 */
export function seasonal({ key, steps, channels = 1, noise = 0.1 }: SeasonalOptions): Float64Array {
  const refuse = (name: string, expected: string, got: unknown): never => {
    throw new ShallowsError(`seasonal: expected ${expected} as ${name}, got ${shown(got)} - correct it`);
  };
  if (!Number.isSafeInteger(steps) || steps < 1) refuse('steps', 'a whole number from 1', steps);
  if (!Number.isSafeInteger(channels) || channels < 1) refuse('channels', 'a whole number from 1', channels);
  if (!(noise >= 0 && noise < Number.POSITIVE_INFINITY)) refuse('noise', 'a number from 0', noise);
  const values = new Float64Array(steps * channels);
  for (let channel = 0; channel < channels; channel++) {
    const own = deriveKey(key, 'channel', channel);
    const [day, week] = [2 * Math.PI * uniform(own, 0), 2 * Math.PI * uniform(own, 1)];
    // The first value of the noise has its final deviation already.
    let memory = noise * normal(own, 0);
    for (let t = 0; t < steps; t++) {
      if (t > 0) memory = 0.8 * memory + 0.6 * noise * normal(own, t);
      const seasons = Math.sin((2 * Math.PI * t) / 24 + day) + 0.5 * Math.sin((2 * Math.PI * t) / 168 + week);
      values[t * channels + channel] = seasons + memory;
    }
  }
  return values;
}

/** Generates the series of a configuration and cuts it into rows. */
export function generateSeasonal(config: SeasonalConfig, key: Key): DataSplits {
  const { steps, channels = 1, noise = 0.1 } = config;
  const values = seasonal({ key, steps, channels, noise });
  const names = Array.from({ length: channels }, (_, i) => `x${i}`);
  return seriesWindows('seasonal', { values, channels: names, targets: names.map((_, i) => i) }, config);
}
