import { uniform } from '../../random/draws.js';
import { permutation } from '../../random/integers.js';
import { deriveKey, type Key } from '../../random/key.js';

/**
 * Which of n sites are dropped so that exactly `budget` are, each with its own rate: systematic sampling in a random
 * order. The rates, laid end to end, are a line of length `budget`; one random offset and its whole steps pick the sites.
 *
 * @param rates drop rates that sum to `budget`
 * @see Madow, "On the theory of systematic sampling", 1949
 */
export function drawBudget(rates: readonly number[], budget: number, key: Key): readonly boolean[] {
  const dropped = new Array<boolean>(rates.length).fill(false);
  const offset = uniform(key);
  const rated = rates.map((_, i) => i).filter((i) => (rates[i] ?? 0) > 0);
  const order = permutation(deriveKey(key, 'order'), rated.length);
  let [end, picked] = [0, 0];
  order.forEach((at, turn) => {
    const site = rated[at] ?? 0;
    // The sum of doubles may miss the budget by its last bits: the last site ends it.
    end = turn === order.length - 1 ? budget : end + (rates[site] ?? 0);
    if (picked + offset < end && picked < budget) {
      dropped[site] = true;
      picked++;
    }
  });
  return dropped;
}
