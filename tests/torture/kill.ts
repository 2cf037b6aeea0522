import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Said } from './life.js';

/** When a life ends: so long after it was started, after a number of steps, or into a number of saves; or not before its end. */
export type Moment =
  | {
      readonly at: 'start' | 'step' | 'save';
      readonly count: number;
      readonly delayMs: number;
      readonly signal: 'SIGKILL' | 'SIGTERM';
    }
  | { readonly at: 'end' };

/** What was heard of a life. */
export interface Life {
  /** `killed`, or the reason that the run gave. */
  readonly end: string;
  readonly steps: number;
  /** The last batch of which a checkpoint was told. */
  readonly saved: number;
  /** Whether a save had begun that was not told of as done. */
  readonly inSave: boolean;
}

const program = fileURLToPath(new URL('./life.js', import.meta.url));

/** Starts a life of the run in a folder, and ends it at a moment. Throws where it ends by itself in any way but its last. */
export async function lifeUntil(folder: string, batches: number, moment: Moment): Promise<Life> {
  const child = spawn(process.execPath, [program, folder, String(batches)], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: { ...process.env, OMP_WAIT_POLICY: 'passive' },
  });
  let [steps, saves, saved, told, reason] = [0, 0, -1, 0, ''];
  let timer: NodeJS.Timeout | undefined;
  const reached = (): void => {
    if (moment.at !== 'end') timer ??= setTimeout(() => child.kill(moment.signal), moment.delayMs);
  };
  if (moment.at === 'start') reached();
  child.on('message', (said: Said) => {
    if (said.kind === 'step') steps++;
    else if (said.kind === 'saving') saves++;
    else if (said.kind === 'ended') reason = said.reason;
    else [saved, told] = [said.batch, told + 1];
    if (moment.at === 'step' && steps >= moment.count) reached();
    if (moment.at === 'save' && saves >= moment.count) reached();
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  if (signal === 'SIGKILL') return { end: 'killed', steps, saved, inSave: saves > told };
  // A signal that comes before the program listens ends it as it does any.
  if (signal === 'SIGTERM' && steps === 0) return { end: 'killed', steps, saved, inSave: false };
  if (code === 0 && reason !== '') return { end: reason, steps, saved, inSave: false };
  throw new Error(`a life in ${folder} ended with ${code ?? signal}, ${reason || 'no reason'}:\n${errors}`);
}
