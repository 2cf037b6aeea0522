import { spawn } from 'node:child_process';
import { accessSync, appendFileSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How a command ended, and what it wrote to both of its streams. */
export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** A file to which the command line and all output are appended. */
  readonly logFile?: string;
  readonly onLine?: (line: string) => void;
}

/** The full path of a command on `PATH`, or `undefined`. */
export function findCommand(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const candidates = name.includes('/')
    ? [name]
    : (env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Runs a command to its end. A command that cannot be started ends with code 127. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { env, cwd, logFile, onLine } = options;
  const note = (text: string): void => {
    if (logFile !== undefined) appendFileSync(logFile, text);
  };
  note(`$ ${[command, ...args].join(' ')}\n`);
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let line = '';
    const take = (text: string): void => {
      output += text;
      note(text);
      const lines = (line + text).split(/[\r\n]+/);
      line = lines.pop() ?? '';
      if (onLine !== undefined) lines.forEach(onLine);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => {
      if (line !== '') onLine?.(line);
      resolve({ code: code ?? 1, output: signal === null ? output : `${output}ended by ${signal}\n` });
    });
  });
}

/** The last lines of a long output. */
export function tail(output: string, lines = 30): string {
  return output.trimEnd().split('\n').slice(-lines).join('\n');
}
