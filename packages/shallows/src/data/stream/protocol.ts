import { ShallowsError } from '../../errors.js';
import type { Block, BlockRequest } from './block.js';

/** To a decoding thread: read this, then set `signal` to 1. */
export interface ReadMessage {
  readonly id: number;
  readonly request: BlockRequest;
  readonly signal: Int32Array;
}

/** From a decoding thread. */
export type Answer =
  | { readonly id: number; readonly block: Block }
  | { readonly id: number; readonly message: string; readonly known: boolean; readonly stack: string };

/** An error as it crosses from one thread to another. */
export function toAnswer(id: number, error: unknown): Answer {
  const known = error instanceof ShallowsError;
  const message = error instanceof Error ? error.message : String(error);
  return { id, message, known, stack: error instanceof Error ? (error.stack ?? message) : message };
}

/** The error that an answer tells of. */
export function fromAnswer({ message, known, stack }: Exclude<Answer, { block: Block }>): ShallowsError {
  const cause = new Error(message);
  cause.stack = stack;
  const text = known
    ? message
    : `batches: expected a decoding thread to go on, got ${message} - report it with its cause`;
  return new ShallowsError(text, { cause });
}
