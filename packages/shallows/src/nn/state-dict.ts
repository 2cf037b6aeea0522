import { isTensor, type Tensor } from '@shallows/torch';
import { didYouMean, ShallowsError, shown } from '../errors.js';

/** A module's tensors by PyTorch's names: `layer1.0.bn1.running_mean`. */
export type StateDict = Record<string, Tensor>;

/** What `loadStateDict` could not match, where it is not strict. */
export interface LoadReport {
  /** Keys of the module that the state has not. */
  readonly missing: readonly string[];
  /** Keys of the state that the module has not. */
  readonly unexpected: readonly string[];
}

const SHOWN = 20;

/**
 * Pairs each tensor of a module with the one of a state that it is to take its values from.
 *
 * @throws ShallowsError naming every key at which the two do not fit
 */
export function matchState(
  own: Readonly<StateDict>,
  state: Readonly<StateDict>,
  strict: boolean,
): { readonly pairs: readonly (readonly [target: Tensor, source: Tensor])[]; readonly report: LoadReport } {
  if (typeof state !== 'object' || state === null || state instanceof Map || isTensor(state)) {
    const got = state instanceof Map ? 'a Map' : isTensor(state) ? 'a tensor' : shown(state);
    throw new ShallowsError(`loadStateDict: expected an object of tensors by key, got ${got} - pass such an object`);
  }
  const keys = Object.keys(own);
  const missing = keys.filter((key) => !Object.hasOwn(state, key));
  const unexpected = Object.keys(state).filter((key) => !Object.hasOwn(own, key));
  const problems: string[] = [];
  if (strict) {
    for (const key of missing) problems.push(`${key}: expected a tensor, got none`);
    for (const key of unexpected)
      problems.push(`${key}: expected a key of the module, got another${hint(key, missing)}`);
  }
  const pairs: [Tensor, Tensor][] = [];
  for (const key of keys) {
    if (!Object.hasOwn(state, key)) continue;
    const [target, source] = [own[key] as Tensor, state[key]];
    const problem = mismatch(target, source);
    if (problem !== null) problems.push(`${key}: ${problem}`);
    else pairs.push([target, source as Tensor]);
  }
  if (problems.length > 0) {
    const lines = problems.slice(0, SHOWN).join('\n  ');
    const more = problems.length > SHOWN ? `\n  and ${problems.length - SHOWN} more` : '';
    throw new ShallowsError(`loadStateDict: expected the state of such a module - see each key:\n  ${lines}${more}`);
  }
  return { pairs, report: { missing, unexpected } };
}

function mismatch(target: Tensor, source: unknown): string | null {
  if (!isTensor(source)) return `expected a tensor, got ${shown(source)}`;
  if (source.disposed) return 'expected a live tensor, got one that was disposed';
  const [wanted, got] = [target.shape, source.shape];
  if (wanted.join() !== got.join()) return `expected shape [${wanted.join(', ')}], got [${got.join(', ')}]`;
  const complex = source.dtype.startsWith('complex') && !target.dtype.startsWith('complex');
  return complex ? `expected ${target.dtype} or what converts to it, got ${source.dtype}` : null;
}

/** A key that is not known is most often one of those that are missing, misspelt. */
function hint(key: string, missing: readonly string[]): string {
  return missing.length > 1000 ? '' : didYouMean(key, missing);
}
