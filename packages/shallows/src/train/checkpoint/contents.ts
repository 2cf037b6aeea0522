import { encodeSafetensors, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import type { Snapshot } from '../state.js';
import { writeExactJson } from './exact-json.js';
import { type ContentFile, checkpointFiles, limits, modelPrefix } from './layout.js';

/** The bytes of each file of a checkpoint, in pieces with buffers of their own. */
export type Contents = Readonly<Record<ContentFile, readonly Uint8Array<ArrayBuffer>[]>>;

const saving = 'CheckpointStore.save';

/**
 * Copies a snapshot into the bytes of its files: one copy from each tensor's memory, on whatever device, to this
 * machine's. The snapshot may change afterwards.
 *
 * @throws ShallowsError for JSON that would not come back as it is, or is too large
 * @throws TorchError for a tensor that the format cannot hold
 */
export function copyContents({ tensors, json }: Snapshot): Contents {
  const text = new TextEncoder().encode(writeExactJson(saving, json));
  if (text.length > limits.jsonBytes) {
    throw new ShallowsError(
      `${saving}: expected at most ${limits.jsonBytes} bytes of JSON, got ${text.length} - keep long lists in tensors`,
    );
  }
  const model: Record<string, Tensor> = {};
  const others: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (name.startsWith(modelPrefix)) model[name.slice(modelPrefix.length)] = tensor;
    else others[name] = tensor;
  }
  return {
    [checkpointFiles.model]: encodeSafetensors(model),
    [checkpointFiles.state]: encodeSafetensors(others),
    [checkpointFiles.json]: [text],
  };
}
