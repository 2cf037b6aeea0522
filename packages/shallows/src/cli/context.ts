import type { CommandContext } from '@stricli/core';

/** A place that text is written to. */
export interface Output {
  write(text: string): unknown;
  /** True where it is a terminal. */
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** A place that answers are read from. */
export interface Input extends NodeJS.ReadableStream {
  readonly isTTY?: boolean | undefined;
}

/** What the command line reads and writes: `process` itself, or a stand-in. */
export interface Terminal {
  /** Absent where nobody can be asked. */
  readonly stdin?: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What a command is called with. */
export interface Context extends CommandContext {
  readonly terminal: Terminal;
  /** The whole command line, for the record of a run. */
  readonly argv: readonly string[];
  /** Makes the command end with this code where it does not fail. */
  exitWith(code: number): void;
}
