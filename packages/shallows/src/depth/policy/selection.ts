import { ShallowsError, shown } from '../../errors.js';

const part = /^\s*(-?\d+)?\s*(?:(:)\s*(-?\d+)?\s*(?:(:)\s*(-?\d+)?)?)?\s*$/;

/** What is wrong with a selection of layers, as an error message, or `null`. */
export function selectionProblem(text: unknown): string | null {
  if (typeof text === 'string' && text.split(',').every((each) => parse(each) !== null)) return null;
  return `expected slices such as '4', '2:', ':-1', '::2' or '0,3:6', got ${shown(text)} - write them as Python slices its lists`;
}

/**
 * The layers that a selection names, as flags: Python's indices and slices, several parted by commas. `'::2'` is every
 * second layer from the first, `'-1'` the last, `'0,3:6'` the first and those from 3 to 5. Slices may run past the end.
 *
 * @param count how many layers there are
 * @throws ShallowsError for text that is no selection, and for a single index that no layer has
 */
export function selectLayers(text: string, count: number): boolean[] {
  const problem = selectionProblem(text);
  if (problem !== null) throw new ShallowsError(`selectLayers: ${problem}`);
  const chosen = new Array<boolean>(count).fill(false);
  for (const each of text.split(',')) {
    const slice = parse(each);
    if (slice === null) continue;
    if (typeof slice === 'number') {
      const at = slice < 0 ? slice + count : slice;
      if (at < 0 || at >= count) {
        throw new ShallowsError(
          `selectLayers: expected an index from ${-count} to ${count - 1}, got ${slice} - the model has ${count} layers`,
        );
      }
      chosen[at] = true;
      continue;
    }
    for (const at of indices(slice, count)) chosen[at] = true;
  }
  return chosen;
}

interface Slice {
  readonly start: number | null;
  readonly stop: number | null;
  readonly step: number;
}

function parse(text: string): number | Slice | null {
  const found = part.exec(text);
  if (found === null) return null;
  const [, first, colon, stop, , step] = found;
  if (colon === undefined) return first === undefined ? null : Number(first);
  const stride = step === undefined ? 1 : Number(step);
  if (stride === 0) return null;
  const bound = (value: string | undefined): number | null => (value === undefined ? null : Number(value));
  return { start: bound(first), stop: bound(stop), step: stride };
}

function* indices({ start, stop, step }: Slice, count: number): Generator<number> {
  const [low, high] = step > 0 ? [0, count] : [-1, count - 1];
  const clip = (value: number): number => Math.min(Math.max(value < 0 ? value + count : value, low), high);
  const from = start === null ? (step > 0 ? low : high) : clip(start);
  const to = stop === null ? (step > 0 ? high : low) : clip(stop);
  for (let at = from; step > 0 ? at < to : at > to; at += step) yield at;
}
