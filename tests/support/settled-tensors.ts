import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { stats } from '@shallows/torch';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/**
 * Live tensors, after those that earlier tests forgot were freed: else the collector may free them while a test waits for
 * something, and the count at its end has nothing to do with what the test left.
 */
export async function settledTensors(): Promise<number> {
  for (let live = Number.POSITIVE_INFINITY; ; ) {
    collect();
    // Forgotten tensors are freed in a turn of their own.
    await setImmediate();
    await setImmediate();
    const now = stats().liveTensors;
    if (now >= live) return now;
    live = now;
  }
}
