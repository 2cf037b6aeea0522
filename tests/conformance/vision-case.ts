import { type DType, fromTypedArray, noGrad, ops, scope, type Tensor } from '@shallows/torch';
import {
  convnext,
  efficientnet,
  preactResnet,
  type ResnetDepth,
  resnet,
} from '../../packages/shallows/src/models/index.js';
import { crossEntropy, evaluation, type Module, trainingPass } from '../../packages/shallows/src/nn/index.js';
import { rootKey } from '../../packages/shallows/src/random/index.js';
import { hashed, values } from './hashed.js';

const key = rootKey(0);

/** What torchvision and timm name like this. */
export function make(name: string, classes: number): Module {
  const [family = '', size = ''] = name.split(/_(?=[^_]*$)|(?<=^resnet)(?=\d)/);
  if (family === 'resnet') return resnet({ depth: Number(size) as ResnetDepth, classes, key });
  if (family === 'resnetv2') return preactResnet({ depth: Number(size) as ResnetDepth, classes, key });
  if (family === 'convnext') return convnext({ size: size as 'tiny', classes, key });
  if (family === 'efficientnet') return efficientnet({ size: size as 'b0', classes, key, headDrop: 0 });
  if (name === 'resnext50_32x4d') return resnet({ depth: 50, classes, key, groups: 32, groupWidth: 4 });
  if (name === 'wide_resnet50_2') return resnet({ depth: 50, classes, key, groupWidth: 128 });
  throw new Error(`no model is named ${name}`);
}

/** The numbers of `values` in `vision.py`: those of `hashed.ts`, which repeat. */
function repeated(count: number, salt: number, scale: number): Float64Array {
  const first = values(Math.min(count, 65521), salt, scale);
  const out = new Float64Array(count);
  for (let at = 0; at < count; at += first.length) out.set(first.subarray(0, count - at), at);
  return out;
}

/** The numbers of `fresh` in `vision.py`. */
function fresh(name: string, shape: readonly number[], salt: number, dtype: DType): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const some = (scale: number): Tensor => fromTypedArray(repeated(count, salt, scale), shape, { dtype });
  if (name.endsWith('layer_scale')) return some(0.2).add(0.3);
  if (shape.length > 1) {
    const small = /^layer\d\.\d+\.conv/.test(name) ? 0.5 : 1;
    return some(small * 2 * Math.sqrt(6 / (count / (shape[0] ?? 1))));
  }
  return /weight$|running_var$/.test(name) ? some(0.2).add(1) : some(0.2);
}

/** A model with the hashed weights and statistics. */
export function build(name: string, classes: number, dtype: DType): Module {
  const model = make(name, classes).to({ dtype });
  const state = model.stateDict();
  for (const [salt, name] of Object.keys(state).toSorted().entries()) {
    const tensor = state[name] as Tensor;
    if (name.endsWith('num_batches_tracked')) continue;
    noGrad(() => scope(() => ops.aten.copy_(tensor, fresh(name, tensor.shape, salt, dtype))));
  }
  return model;
}

/** The pictures of `vision.py` and their classes. */
export interface Setting {
  readonly dtype: DType;
  readonly size: number;
  readonly batch: number;
  readonly classes: number;
}

/** The tensors of `run` in `vision.py`, as arrays; `wanted` are their names. */
export function run(
  model: Module,
  mode: 'evaluation' | 'training',
  wanted: readonly string[],
  { dtype, size, batch, classes }: Setting,
): Map<string, ArrayLike<number | bigint>> {
  const out = new Map<string, ArrayLike<number | bigint>>();
  scope(() => {
    const x = fromTypedArray(repeated(batch * 3 * size * size, 7001, 4), [batch, 3, size, size], { dtype });
    const y = fromTypedArray(BigInt64Array.from(hashed(batch, 7002), (h) => BigInt(h % classes)));
    for (const [name, parameter] of model.namedParameters()) {
      parameter.grad = null;
      parameter.requiresGrad = wanted.includes(`grad.${name}`);
    }
    const logits = model.forward(x, mode === 'training' ? trainingPass() : evaluation);
    const loss = crossEntropy(logits, y);
    loss.backward();
    const found: Record<string, Tensor | null> = { ...model.stateDict(), logits, loss };
    for (const [name, { grad }] of model.namedParameters()) found[`grad.${name}`] = grad;
    for (const each of wanted) out.set(each, found[each]?.toArray() ?? []);
  });
  return out;
}
