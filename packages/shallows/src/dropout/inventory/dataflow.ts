import type { TracedCall, TracedTensor, TracedValue } from '@shallows/torch';

/** Operators with weights or a normalisation of their own: what is a layer, and no mere change of shape or of each number. */
const layers = new Set(
  [
    'linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution matmul bmm mm addmm baddbmm',
    'einsum embedding embedding_bag batch_norm native_batch_norm layer_norm native_layer_norm group_norm rms_norm',
    'instance_norm lstm gru lstm_cell gru_cell rnn_tanh rnn_relu scaled_dot_product_attention',
  ]
    .join(' ')
    .split(' '),
);
const softmaxes = new Set('softmax _softmax _safe_softmax log_softmax _log_softmax'.split(' '));
const activations = new Set(
  'relu relu6 gelu silu selu elu celu tanh sigmoid leaky_relu hardswish hardtanh prelu mish softplus glu'.split(' '),
);
const batchNorms = new Set(['batch_norm', 'native_batch_norm']);
/** Normalisations of each row by itself: they take the variance that a dropout adds away. */
const rowNorms = new Set('layer_norm native_layer_norm group_norm rms_norm instance_norm'.split(' '));

/** What kind of operator one is, as far as advice about dropout goes. */
export type OperatorRole = 'batch-norm' | 'row-norm' | 'layer' | 'softmax' | 'activation' | 'other';

/** The role of an operator by its {@link plainName}. */
export function roleOf(name: string): OperatorRole {
  if (batchNorms.has(name)) return 'batch-norm';
  if (rowNorms.has(name)) return 'row-norm';
  if (layers.has(name)) return 'layer';
  if (softmaxes.has(name)) return 'softmax';
  return activations.has(name) ? 'activation' : 'other';
}

/** `aten::relu_` is `relu`: where an operator writes does not matter here. */
export function plainName({ op }: TracedCall): string {
  const name = op.slice(op.indexOf('::') + 2);
  return name.endsWith('_') ? name.slice(0, -1) : name;
}

/** Who made and who reads each tensor of a trace. */
export class Dataflow {
  readonly calls: readonly TracedCall[];
  readonly #writers = new Map<number, number[]>();
  readonly #readers = new Map<number, number[]>();

  constructor(calls: readonly TracedCall[]) {
    this.calls = calls;
    for (const [at, call] of calls.entries()) {
      for (const { id } of call.outputs) add(this.#writers, id, at);
      for (const { id } of tensorsOf(call)) add(this.#readers, id, at);
    }
  }

  /** The call that made a tensor, or wrote to it last, before some call; null where none did. */
  maker(id: number, before: number): number | null {
    return this.#writers.get(id)?.findLast((at) => at < before) ?? null;
  }

  /** The calls that read a tensor, from some call on. */
  readers(id: number, from: number): readonly number[] {
    return (this.#readers.get(id) ?? []).filter((at) => at >= from);
  }

  /** The first tensor read in `[from, to)` that was not made there and is no weight. */
  inputOf(from: number, to: number, weights: ReadonlySet<number>): TracedTensor | null {
    for (let at = from; at < Math.min(to, this.calls.length); at++) {
      for (const tensor of tensorsOf(this.calls[at] as TracedCall)) {
        const maker = this.maker(tensor.id, at);
        if (!weights.has(tensor.id) && (maker === null || maker < from)) return tensor;
      }
    }
    return null;
  }
}

/** The tensors that a call reads. */
export function tensorsOf({ inputs, keywords }: TracedCall): readonly TracedTensor[] {
  return [...inputs, ...Object.values(keywords)].flatMap(tensorsIn);
}

function tensorsIn(value: TracedValue): readonly TracedTensor[] {
  if (value.kind === 'tensor') return [value.tensor];
  return value.kind === 'list' ? value.items.flatMap(tensorsIn) : [];
}

function add(map: Map<number, number[]>, id: number, at: number): void {
  const found = map.get(id);
  if (found === undefined) map.set(id, [at]);
  else if (found.at(-1) !== at) found.push(at);
}
