import { Operator, type Tensor } from '@shallows/torch';

const contiguous = new Operator('aten::contiguous');
const permute = new Operator('aten::permute');

/** Bits of {@link memoryOrder}. */
const ROWS = 1;
const CHANNELS_LAST = 2;

/**
 * The orders in which a tensor's elements lie in memory without holes: bit 1 row-major, bit 2 channels-last, 0 for neither.
 * Two tensors of one shape whose orders share a bit have each element at the same place.
 */
export function memoryOrder(tensor: Tensor): number {
  const rows = tensor.isContiguous() ? ROWS : 0;
  return rows | (tensor.isContiguous({ memoryFormat: 'channels_last' }) ? CHANNELS_LAST : 0);
}

/** Whether a tensor has one of some orders. Asks one native call where it is the usual one. */
export function hasOrder(tensor: Tensor, order: number): boolean {
  if ((order & ROWS) !== 0 && tensor.isContiguous()) return true;
  return (order & CHANNELS_LAST) !== 0 && tensor.isContiguous({ memoryFormat: 'channels_last' });
}

/** The format that libtorch makes tensors of an order in. */
export function formatOf(order: number): 'contiguous' | 'channels_last' {
  return order === CHANNELS_LAST ? 'channels_last' : 'contiguous';
}

/** The order in which to keep what belongs to a tensor: its own, row-major where it has none. */
export function keptOrder(tensor: Tensor): number {
  return memoryOrder(tensor) || ROWS;
}

/** A copy in an order. */
export function inOrder(tensor: Tensor, order: number): Tensor {
  return contiguous.call([tensor], { memoryFormat: formatOf(order) }) as Tensor;
}

/** A tensor of an order so that its dimensions lie in memory row by row: itself, or a view with the channels last. */
export function rowByRow(tensor: Tensor, order: number): Tensor {
  return order === CHANNELS_LAST ? (permute.call([tensor, [0, 2, 3, 1]]) as Tensor) : tensor;
}
