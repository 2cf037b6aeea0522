import type { TracedCall, TracedValue } from '@shallows/torch';

/** The tensors by id that an output is proportional to, taken together, or why there are none. */
export type Proportional = readonly number[] | string;

/** Where operators have weight and bias: the output is proportional to both together. */
const affine: Readonly<Record<string, readonly [weight: number, bias: number | null]>> = {
  linear: [1, 2],
  conv1d: [1, 2],
  conv2d: [1, 2],
  conv3d: [1, 2],
  convolution: [1, 2],
  conv_transpose1d: [1, 2],
  conv_transpose2d: [1, 2],
  conv_transpose3d: [1, 2],
  batch_norm: [1, 2],
  instance_norm: [1, 2],
  layer_norm: [2, 3],
  group_norm: [2, 3],
  rms_norm: [2, null],
};

/** Operators that are proportional to either of their two inputs. */
const products = ['mul', 'matmul', 'mm', 'bmm', 'mv'];

/** Operators that are proportional to their first input: other orders, parts, copies and means of it. */
const linearMaps = new Set(
  `view reshape _unsafe_view flatten unflatten transpose permute movedim t squeeze unsqueeze expand contiguous clone
  alias detach to _to_copy slice select narrow roll div mean sum avg_pool2d adaptive_avg_pool2d dropout`.split(/\s+/),
);

/**
 * Finds the parameters that the output of a traced branch is proportional to: multiplied by q, they multiply it by q.
 * From the output backwards, through what only reorders or averages, to the last operator with weight and bias.
 *
 * @param calls the trace, whose last call reads the output
 * @param output id of the output
 * @param parameters ids of the parameters
 */
export function lastAffine(
  calls: readonly TracedCall[],
  output: number,
  parameters: ReadonlySet<number>,
): Proportional {
  const proportionalTo = (id: number, before: number): Proportional => {
    if (parameters.has(id)) return [id];
    const at = calls.findLastIndex((call, i) => i < before && call.outputs.some((each) => each.id === id));
    const call = calls[at];
    if (call === undefined) return 'a tensor that no operator of the branch made';
    const readers = readsBetween(calls, id, at + 1);
    if (readers > 1) return `the result of ${call.op}, which ${readers} operators read`;
    return through(call, (value) => inputTo(value, at));
  };
  const inputTo = (value: TracedValue | undefined, at: number): Proportional => {
    if (value?.kind === 'tensor') return proportionalTo(value.tensor.id, at);
    return 'a plain number';
  };
  return proportionalTo(output, calls.length);
}

/** Through one operator, from its output to its inputs. An operator in place has the name of the other and a `_`. */
function through(call: TracedCall, follow: (input: TracedValue | undefined) => Proportional): Proportional {
  const { op, inputs, keywords } = call;
  const name = op.replace(/^(aten|shallows)::/, '').replace(/(?<=\w)_$/, '');
  const places = affine[name];
  if (places !== undefined) {
    const [at, biasAt] = places;
    const weight = inputs[at] ?? keywords.weight;
    const bias = biasAt === null ? undefined : (inputs[biasAt] ?? keywords.bias);
    if (weight?.kind !== 'tensor') return `${op} without a weight`;
    return bias?.kind === 'tensor' ? both(follow(weight), follow(bias)) : follow(weight);
  }
  if (name === 'add' || name === 'sub') return both(follow(inputs[0]), follow(inputs[1]));
  if (name === 'addmm') return both(follow(inputs[0]), either(follow, inputs[2], inputs[1]));
  if (products.includes(name)) return either(follow, inputs[1], inputs[0]);
  if (linearMaps.has(name)) return follow(inputs[0]);
  return op;
}

function both(a: Proportional, b: Proportional): Proportional {
  if (typeof a === 'string') return a;
  return typeof b === 'string' ? b : [...a, ...b];
}

/** The factor that leads to parameters, of two the one with fewer; where none does, why the last one does not. */
function either(
  follow: (input: TracedValue | undefined) => Proportional,
  ...factors: readonly [TracedValue | undefined, TracedValue | undefined]
): Proportional {
  const found = factors.filter((each) => each?.kind === 'tensor').map(follow);
  const [fewest] = found.filter((each) => typeof each !== 'string').sort((a, b) => a.length - b.length);
  return fewest ?? found.at(-1) ?? 'a plain number';
}

/** How often calls from `from` on read a tensor, until one writes it anew (which may read it too). */
function readsBetween(calls: readonly TracedCall[], id: number, from: number): number {
  let reads = 0;
  for (const call of calls.slice(from)) {
    reads += readsOf(call).get(id) ?? 0;
    if (call.outputs.some((each) => each.id === id)) break;
  }
  return reads;
}

/** How often a call reads each tensor, by id. */
export function readsOf({ inputs, keywords }: TracedCall): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  const add = (value: TracedValue): void => {
    if (value.kind === 'list') for (const item of value.items) add(item);
    else if (value.kind === 'tensor') counts.set(value.tensor.id, (counts.get(value.tensor.id) ?? 0) + 1);
  };
  for (const value of [...inputs, ...Object.values(keywords)]) add(value);
  return counts;
}
