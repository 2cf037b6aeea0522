import { RecipeError } from '../recipe/error.js';

/** Exit codes of the command. */
export const exitCodes = Object.freeze({ done: 0, failed: 1, usage: 2, interrupted: 130 });

/** The command line asks for what cannot be done: nothing was started. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The exit code of a failure: 2 where the command line or the recipe is wrong, else 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError || error instanceof RecipeError ? exitCodes.usage : exitCodes.failed;
}

/** A failure as its user sees it: the message alone, and the stack only where `SHALLOWS_DEBUG=1` asks for it. */
export function describeFailure(error: unknown, env: Readonly<Record<string, string | undefined>>): string {
  if (env.SHALLOWS_DEBUG === '1' && error instanceof Error) return withCauses(error);
  const message = error instanceof Error ? error.message : String(error);
  const expected =
    error instanceof Error && /^(Shallows|Torch|Usage|Recipe|Policy|Setup|Data)\w*Error$/.test(error.name);
  return expected ? message : `${message} - set SHALLOWS_DEBUG=1 to see where it happened`;
}

function withCauses(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\nCaused by: ${withCauses(error.cause)}` : stack;
}
