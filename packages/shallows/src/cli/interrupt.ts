import type { Output } from './context.js';
import { exitCodes } from './failure.js';

/** Ctrl-C as an AbortSignal, until it is disposed. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

/** The part of `process` that signals come through. */
export interface SignalSource {
  on(name: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  off(name: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  exit(code: number): void;
}

/** The first SIGINT or SIGTERM aborts the signal, so that the work ends cleanly; the second ends the process at once. */
export function catchInterrupt(stderr: Output, source: SignalSource = process): Interrupt {
  const controller = new AbortController();
  const listen = (): void => {
    if (controller.signal.aborted) {
      source.exit(exitCodes.interrupted);
      return;
    }
    controller.abort();
    stderr.write('\nFinishing the current step and saving; interrupt again to end at once.\n');
  };
  source.on('SIGINT', listen);
  source.on('SIGTERM', listen);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      source.off('SIGINT', listen);
      source.off('SIGTERM', listen);
    },
  };
}
