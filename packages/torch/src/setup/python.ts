import { dirname, isAbsolute } from 'node:path';
import { findCommand, run } from './command.js';
import type { SetupContext } from './context.js';

/** A Python, its version such as `3.11`, the folder of its `torch` package and whether it has pip. */
export interface Python {
  readonly command: string;
  readonly version: string;
  readonly torch: string | undefined;
  readonly pip: boolean;
}

// Finds without importing: importing torch takes seconds. The working folder may have a folder named torch: it does not count.
const question = `
import importlib.util, json, sys
sys.path[:] = [path for path in sys.path if path]
def origin(name):
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec else None
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "torch": origin("torch"), "pip": origin("pip") is not None}))
`;

/** Asks the first `python3` on `PATH`; `undefined` where there is none that runs. */
export async function findPython({ env }: Pick<SetupContext, 'env'>): Promise<Python | undefined> {
  const command = findCommand('python3', env);
  if (command === undefined) return undefined;
  const { code, output } = await run(command, ['-c', question], { env });
  if (code !== 0) return undefined;
  const answer: unknown = parse(output.trimEnd().split('\n').at(-1) ?? '');
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { version, torch, pip } = answer as Record<string, unknown>;
  return {
    command,
    version: typeof version === 'string' ? version : 'unknown',
    torch: typeof torch === 'string' && isAbsolute(torch) ? dirname(torch) : undefined,
    pip: pip === true,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
