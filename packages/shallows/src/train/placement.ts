import { type Device, noGrad, Operator, ops, scope, type Tensor } from '@shallows/torch';
import type { Module } from '../nn/index.js';

const contiguous = new Operator('aten::contiguous');
const toDevice = new Operator('aten::to', 'dtype_layout');
const channelsLastFormat = { memoryFormat: 'channels_last' } as const;

/** Where tensors lie, and in which order pictures and filters lie there. */
export interface Placement {
  readonly device: Device;
  /** Whether tensors of four dimensions have their channels innermost: `[B, C, H, W]` stored as `[B, H, W, C]`. */
  readonly channelsLast: boolean;
}

/** A batch's tensor where the model is; itself where it lies there already. */
export function placed(tensor: Tensor, { device, channelsLast }: Placement): Tensor {
  const here = device === 'cpu' ? tensor : (toDevice.call([tensor], { device, nonBlocking: true }) as Tensor);
  return channelsLast && here.ndim === 4 ? (contiguous.call([here], channelsLastFormat) as Tensor) : here;
}

/**
 * Stores a model's parameters of four dimensions with their channels innermost, or in row-major order. They stay the same
 * objects, and no value changes. Do it before an optimizer has a state: momenta lie as the parameters did when they were made.
 */
export function orderModel(model: Module, channelsLast: boolean): void {
  const memoryFormat = channelsLast ? 'channels_last' : 'contiguous';
  noGrad(() =>
    scope(() => {
      for (const [, parameter] of model.namedParameters()) {
        if (parameter.ndim !== 4) continue;
        ops.aten.set_data(parameter, contiguous.call([parameter.detach()], { memoryFormat }));
      }
    }),
  );
}

/** The device of a model's parameters, or of its buffers; `cpu` where it has neither. */
export function deviceOf(model: Module): Device {
  for (const [, each] of model.namedParameters()) return each.device;
  for (const [, each] of model.namedBuffers()) return each.device;
  return 'cpu';
}
