import { buildApplication, ExitCode, run, text_en } from '@stricli/core';
import { commands } from './commands.js';
import type { Context, Terminal } from './context.js';
import { describeFailure, exitCodeOf, exitCodes } from './failure.js';

/** Runs the command line `shallows …argv` and returns its exit code. It never throws. */
export async function main(argv: readonly string[], terminal: Terminal = process): Promise<number> {
  if (terminal === process) forgiveClosedPipes();
  let code: number = exitCodes.done;
  const streams = { stdout: terminal.stdout, stderr: terminal.stderr, exitCode: null as number | string | null };
  const context: Context & { readonly process: typeof streams } = {
    process: streams,
    terminal,
    argv: ['shallows', ...argv],
    exitWith: (wanted) => {
      code = wanted;
    },
  };
  await run(application(terminal), argv, context);
  return streams.exitCode === ExitCode.Success ? code : exitCode(streams.exitCode);
}

function application(terminal: Terminal) {
  const explain = (error: unknown): string => describeFailure(error, terminal.env);
  return buildApplication<Context>(commands, {
    name: 'shallows',
    versionInfo: { getCurrentVersion: async () => (await import('../track/host.js')).packageVersion() },
    scanner: { allowArgumentEscapeSequence: true },
    documentation: { disableAnsiColor: terminal.stdout.isTTY !== true },
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: explain,
        exceptionWhileLoadingCommandFunction: explain,
        commandErrorResult: explain,
      },
    },
    determineExitCode: exitCodeOf,
  });
}

function exitCode(code: number | string | null): number {
  if (code === ExitCode.UnknownCommand || code === ExitCode.InvalidArgument) return exitCodes.usage;
  return typeof code === 'number' && code > 0 ? code : exitCodes.failed;
}

/** `shallows plan … | head` closes the pipe early: what is left to print is then of no interest, and training goes on. */
function forgiveClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners('error').includes(forgive)) stream.on('error', forgive);
  }
}

function forgive(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
