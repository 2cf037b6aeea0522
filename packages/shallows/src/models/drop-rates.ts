import { type DropRate, isDropRate } from '../dropout/index.js';
import type { Settings } from '../nn/settings.js';

/** Adds to the settings of a model whether each of its drop rates is one; those that were not given are. */
export function checkRates(settings: Settings, rates: Readonly<Record<string, DropRate | undefined>>): Settings {
  for (const [name, rate] of Object.entries(rates)) {
    settings.expect(rate === undefined || isDropRate(rate), name, 'a drop rate in [0, 1]', rate);
  }
  return settings;
}
