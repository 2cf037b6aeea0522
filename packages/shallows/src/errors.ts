/**
 * The error of every mistake that this library finds. Messages read `fn: expected X, got Y - do Z`.
 */
export class ShallowsError extends Error {
  override readonly name: string = 'ShallowsError';
}

/**
 * Shows a value inside an error message: strings quoted, numbers as they print (`NaN`, `-Infinity`), the rest shortened.
 */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/**
 * The known word nearest to a mistyped one, as a sentence end: `, did you mean 'linear'?`, or `''` where nothing is near.
 *
 * Near: Levenshtein distance, ignoring case, of at most a third of the longer word, or one word beginning with the other.
 */
export function didYouMean(word: string, known: readonly string[]): string {
  const typed = word.toLowerCase();
  if (typed === '') return '';
  let best = '';
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const begins = lower.startsWith(typed) || typed.startsWith(lower);
    const distance = begins ? 1 : levenshtein(typed, lower);
    const near = begins || distance <= Math.max(typed.length, lower.length) / 3;
    if (near && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === '' ? '' : `, did you mean '${best}'?`;
}

function levenshtein(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substituted, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
