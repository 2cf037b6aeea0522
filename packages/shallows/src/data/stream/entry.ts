import { type MessagePort, workerData } from 'node:worker_threads';
import type { ReadBlock } from './block.js';
import { type Answer, type ReadMessage, toAnswer } from './protocol.js';
import { openSource, type SourceSpec } from './spec.js';

// The program of a decoding thread. Blocks are bytes, which become tensors where they are used; libtorch is loaded for
// pictures alone, to resize them.

const { spec, port } = workerData as { readonly spec: SourceSpec; readonly port: MessagePort };
let source: ReadBlock | null = null;

async function answer({ id, request, signal }: ReadMessage): Promise<void> {
  let message: Answer;
  try {
    source ??= openSource(spec);
    message = { id, block: await source(request) };
  } catch (error) {
    message = toAnswer(id, error);
  }
  const buffers = 'block' in message ? [message.block.inputs.buffer, message.block.targets?.buffer] : [];
  port.postMessage(
    message,
    buffers.filter((each) => each !== undefined),
  );
  // After the answer is posted, for who waits without a turn of the event loop.
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
}

port.on('message', (message: ReadMessage) => void answer(message));
