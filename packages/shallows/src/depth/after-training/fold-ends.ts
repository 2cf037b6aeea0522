import { Operator, type Tensor, type TracedCall, trace, zeros } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { meterSlot } from '../cost/work.js';
import { lastAffine, type Proportional, readsOf } from './fold-affine.js';

const isSameSize = new Operator('aten::is_same_size');

/**
 * The parameters that the branch of each named site is proportional to, found in one traced evaluation.
 *
 * @throws ShallowsError naming every site without such parameters of its own
 */
export function branchEnds(
  fn: string,
  parameters: readonly Tensor[],
  forward: (pass: Pass) => Tensor,
  names: readonly string[],
): ReadonlyMap<string, readonly Tensor[]> {
  const { calls, runs } = traceBranches(parameters, forward);
  const ids = new Set(parameters.keys());
  const reads = readCounts(calls, ids);
  const problems: string[] = [];
  const ends = new Map<string, readonly Tensor[]>();
  for (const name of names) {
    const found = alike(
      runs.filter((run) => run.name === name).map((run) => lastAffine(run.calls, run.output, ids)),
      reads,
    );
    if (typeof found === 'string') problems.push(`'${name}' ${found}`);
    else
      ends.set(
        name,
        parameters.filter((_, id) => found.includes(id)),
      );
  }
  if (problems.length === 0) return ends;
  throw new ShallowsError(
    `${fn}: expected branches that end in an affine operator with parameters of their own, got ${problems.join(', ')} - ` +
      'end each branch in a linear layer, a convolution, a norm or a layer scale, or evaluate under the policy as it is',
  );
}

interface BranchRun {
  readonly name: string;
  /** From the first call of the branch to one that reads its output. */
  readonly calls: readonly TracedCall[];
  /** Id of the output. */
  readonly output: number;
}

/** Evaluates once. Parameters have their places in the list as ids. */
function traceBranches(parameters: readonly Tensor[], forward: (pass: Pass) => Tensor) {
  // A trace knows tensors by number, in the order in which they are seen. Questions about this tensor stand where a
  // branch begins and ends, and name its output.
  const mark = zeros([1]);
  const note = (tensor: Tensor): unknown => isSameSize.call([mark, tensor]);
  const names: string[] = [];
  const pass = evaluation.with(meterSlot, (name, branch) => {
    names.push(name);
    note(mark);
    const y = branch();
    note(y);
    return y;
  });
  const { calls: all } = trace(() => {
    for (const each of parameters) isSameSize.call([each, each]);
    note(mark);
    return forward(pass);
  });
  const calls = all.slice(parameters.length + 1);
  const markId = parameters.length;
  const runs: BranchRun[] = [];
  const open: { readonly name: string; readonly start: number }[] = [];
  for (const [i, { op, inputs }] of calls.entries()) {
    const [asker, asked] = inputs.map((each) => (each.kind === 'tensor' ? each.tensor.id : -1));
    if (op !== isSameSize.name || asker !== markId || asked === undefined) continue;
    if (asked === markId) open.push({ name: names.shift() ?? '', start: i + 1 });
    else {
      const { name, start } = open.pop() ?? { name: '', start: 0 };
      runs.push({ name, calls: calls.slice(start, i + 1), output: asked });
    }
  }
  return { calls, runs };
}

/** The ids that all runs of a branch found, where nothing else reads them. */
function alike(found: readonly Proportional[], reads: ReadonlyMap<number, number>): Proportional {
  if (found.length === 0) return 'does not run in the example';
  const ids: number[] = [];
  for (const each of found) {
    if (typeof each === 'string') return `ends in ${each}`;
    ids.push(...each);
  }
  const shared = ids.some((id) => reads.get(id) !== ids.filter((each) => each === id).length);
  return shared ? 'ends in a layer that is used elsewhere too' : ids;
}

function readCounts(calls: readonly TracedCall[], ids: ReadonlySet<number>): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const call of calls) {
    for (const [id, count] of readsOf(call)) if (ids.has(id)) counts.set(id, (counts.get(id) ?? 0) + count);
  }
  return counts;
}
