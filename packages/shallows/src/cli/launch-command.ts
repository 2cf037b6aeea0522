import { buildCommand } from '@stricli/core';
import type { Context } from './context.js';
import type { LaunchFlags } from './launch-plan.js';

const whole =
  (least: number) =>
  (input: string): number => {
    const value = input.trim() === '' ? Number.NaN : Number(input);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new Error(`expected a whole number from ${least}, got ${JSON.stringify(input)}`);
  };

const text = (input: string): string => input;

const count = (brief: string, least = 1, placeholder = 'N') =>
  ({ kind: 'parsed', parse: whole(least), optional: true, brief, placeholder }) as const;

/** `shallows launch` */
export const launch = buildCommand<LaunchFlags, string[], Context>({
  loader: () => import('./launch.js'),
  parameters: {
    flags: {
      processes: count('Processes on this machine'),
      threads: count('Threads of each process; default this machine’s cores divided among them'),
      timeout: count('How long ranks wait for each other', 1, 'SECONDS'),
      'max-restarts': {
        kind: 'parsed',
        parse: whole(0),
        default: '0',
        brief: 'How often to start all again from the last checkpoint when one fails',
        placeholder: 'K',
      },
      'min-processes': count('Let a restart leave out processes that were killed, down to so many', 1, 'M'),
      nodes: count('Machines'),
      'node-rank': count('This machine, from 0', 0, 'R'),
      master: {
        kind: 'parsed',
        parse: text,
        optional: true,
        brief: 'Where rank 0 listens, with several machines',
        placeholder: 'HOST:PORT',
      },
    },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { brief: 'A shallows command, or a script of your own', placeholder: 'train RECIPE ...', parse: text },
    },
  },
  docs: {
    brief: 'Start one command as several processes that train together',
    customUsage: [
      '--processes N [--threads N] [--timeout SECONDS] [--max-restarts K [--min-processes M]] -- train RECIPE ...',
      '--processes N --nodes N --node-rank R --master HOST:PORT -- train RECIPE ...',
      '--processes N -- SCRIPT.js ...',
    ],
    fullDescription: `Start one command as several processes that train one model together, data parallel.

  shallows launch --processes 2 -- train recipes/quickstart.yaml
  shallows launch --processes 4 --max-restarts 3 -- train recipes/quickstart.yaml --run-dir runs/mine
  shallows launch --processes 8 --nodes 2 --node-rank 0 --master node-0:29500 -- train recipes/quickstart.yaml
  shallows launch --processes 2 -- my-training.js

Each process is told its rank as torchrun tells it. Lines of stderr begin with the rank; stdout is that of rank 0.
Signals are passed on. When one process fails the others end with an error that names it. With --max-restarts
all then start again from the last checkpoint, with --min-processes without those that were killed.

In a job of Kubeflow Trainer the PET_* variables say what the flags leave open.
Exit codes: 0 all done, 1 failed, 2 wrong usage or recipe, 130 interrupted and saved.`,
  },
});
