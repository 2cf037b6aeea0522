import { noGrad } from '../autograd.js';
import { listen } from '../listener.js';
import { native } from '../native.js';
import { ops } from '../ops.js';
import { scope } from '../scope.js';
import { live, type Tensor } from '../tensor.js';
import { elementsText } from './text.js';

const lineWidth = 80;
const prefix = 'tensor(';
const plainDTypes = new Set(['float32', 'complex64', 'int64', 'bool']);

/** The text that `repr` of PyTorch gives: values with four digits, then what is not the default. */
export function describeTensor(tensor: Tensor): string {
  if (tensor.disposed) return 'tensor(<disposed>)';
  // A trace that is running must not record what printing calls.
  const listener = listen(null);
  try {
    return noGrad(() => scope(() => withSuffixes(tensor)));
  } finally {
    listen(listener);
  }
}

function withSuffixes(tensor: Tensor): string {
  const layout = native().layout(live(tensor));
  if (layout === 'nested') return `nested_${prefix}..., dtype=torch.${tensor.dtype})`;
  const { dtype, device, shape } = tensor;
  const suffixes: string[] = [];
  if (device !== 'cpu') suffixes.push(`device='${device}'`);
  const size = `size=${tuple(shape)}`;
  const type = `dtype=torch.${dtype}`;
  let text: string;
  let newLine = false;
  if (layout === 'sparse_coo' && device !== 'meta') {
    const indices = ops.aten._indices(tensor) as Tensor;
    const values = ops.aten._values(tensor) as Tensor;
    suffixes.push(size, `nnz=${indices.size(1)}`);
    if (!plainDTypes.has(dtype)) suffixes.push(type);
    text = `${part('indices', indices)},\n${' '.repeat(prefix.length)}${part('values', values)}`;
    newLine = true;
  } else if (device === 'meta' || layout !== 'strided' || !(dtype in readable)) {
    suffixes.push(size);
    if (dtype !== 'float32') suffixes.push(type);
    text = '...';
  } else if (shape.includes(0)) {
    if (shape.length !== 1) suffixes.push(size);
    if (dtype !== 'float32') suffixes.push(type);
    text = '[]';
  } else {
    if (!plainDTypes.has(dtype)) suffixes.push(type);
    text = elementsText(tensor, prefix.length);
  }
  if (layout !== 'strided') suffixes.push(`layout=torch.${layout}`);
  const gradient = native().gradientName(live(tensor));
  if (gradient !== '') suffixes.push(`grad_fn=<${gradient}>`);
  else if (tensor.requiresGrad) suffixes.push('requires_grad=True');
  return join(prefix + text, suffixes, newLine);
}

const readable: Readonly<Record<string, true>> = {
  float32: true,
  float64: true,
  float16: true,
  bfloat16: true,
  int8: true,
  int16: true,
  int32: true,
  int64: true,
  uint8: true,
  bool: true,
  complex64: true,
  complex128: true,
};

function part(name: string, tensor: Tensor): string {
  const start = `${name}=${prefix}`;
  const size = tensor.shape.includes(0) ? `, size=${tuple(tensor.shape)}` : '';
  return `${start}${elementsText(tensor, prefix.length + start.length)}${size})`;
}

function tuple(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
}

function join(text: string, suffixes: readonly string[], newLine: boolean): string {
  let result = text;
  let width = text.length - text.lastIndexOf('\n') + 1;
  let force = newLine;
  for (const suffix of suffixes) {
    if (force || width + suffix.length + 2 > lineWidth) {
      result += `,\n${' '.repeat(prefix.length)}${suffix}`;
      width = prefix.length + suffix.length;
      force = false;
    } else {
      result += `, ${suffix}`;
      width += suffix.length + 2;
    }
  }
  return `${result})`;
}
