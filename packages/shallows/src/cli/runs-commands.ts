import { buildCommand, buildRouteMap } from '@stricli/core';
import type { Context } from './context.js';
import type { CompareFlags } from './runs-compare.js';
import type { ShowFlags } from './runs-show.js';

const text = (input: string): string => input;

const number = (input: string): number => {
  const value = input.trim() === '' ? Number.NaN : Number(input);
  if (Number.isFinite(value)) return value;
  throw new Error(`expected a number, got ${JSON.stringify(input)}`);
};

const json = {
  kind: 'boolean',
  brief: 'Print one JSON object on stdout',
  default: false,
  withNegated: false,
} as const;

const target = {
  kind: 'parsed',
  parse: number,
  optional: true,
  brief: 'Say when the metric reached this value and stayed, such as 0.7',
  placeholder: 'VALUE',
} as const;

const run = { brief: "A run's folder, or its name under runs", placeholder: 'RUN', parse: text } as const;

const list = buildCommand<{ json: boolean }, string[], Context>({
  loader: () => import('./runs-list.js'),
  parameters: {
    flags: { json },
    positional: {
      kind: 'array',
      parameter: { brief: 'Folders to look in, also below; default runs', placeholder: 'FOLDER', parse: text },
    },
  },
  docs: {
    brief: 'List runs, newest first',
    customUsage: ['[FOLDER ...] [--json]'],
    fullDescription: `List the runs in a folder and below it, newest first. Folders that cannot be read are named with
what is wrong with them. A run that says it is running while nobody writes to it is killed.

  shallows runs list
  shallows runs list runs/quickstart experiments
  shallows runs list --json | jq '.runs[] | [.folder, .metric.value]'`,
  },
});

const show = buildCommand<ShowFlags, [string], Context>({
  loader: () => import('./runs-show.js'),
  parameters: { flags: { target, json }, positional: { kind: 'tuple', parameters: [run] } },
  docs: {
    brief: 'Show what a run was and what came out, and check its journal',
    customUsage: ['RUN [--target VALUE] [--json]'],
    fullDescription: `Show what a run was and what came out of it, and check that nothing of its record and journal was
changed: each line of the journal carries the digest of the one before it.

  shallows runs show runs/quickstart/plain
  shallows runs show quickstart/plain --target 0.7 --json

Exit codes: 0, 1 where the check finds a problem, 2 where there is no such run.`,
  },
});

const compare = buildCommand<CompareFlags, string[], Context>({
  loader: () => import('./runs-compare.js'),
  parameters: {
    flags: {
      report: {
        kind: 'parsed',
        parse: text,
        optional: true,
        brief: 'Write a page with their curves side by side',
        placeholder: 'FILE.html',
      },
      target,
      json,
    },
    positional: { kind: 'array', minimum: 2, parameter: run },
  },
  docs: {
    brief: 'Compare runs, and tell differences from chance',
    customUsage: ['RUN RUN ... [--report FILE.html] [--target VALUE] [--json]'],
    fullDescription: `Compare runs with the first of them: metrics, time and work, whether chance alone explains the
difference of their validation metrics (95 %), and where their recipes differ.

  shallows runs compare quickstart/plain quickstart/stochastic-depth
  shallows runs compare runs/a runs/b runs/c --target 0.7 --report compare.html`,
  },
});

const rm = buildCommand<{ yes: boolean }, string[], Context>({
  loader: () => import('./runs-rm.js'),
  parameters: {
    flags: { yes: { kind: 'boolean', brief: 'Do not ask', default: false, withNegated: false } },
    positional: { kind: 'array', minimum: 1, parameter: run },
  },
  docs: {
    brief: 'Delete runs',
    customUsage: ['RUN ... [--yes]'],
    fullDescription: `Delete runs, after a question. Only what a run wrote is deleted; a run under way is refused, and so
is what is no run.

  shallows runs rm runs/net-20260105-101500
  shallows runs rm quickstart/plain quickstart/stochastic-depth --yes`,
  },
});

/** `shallows runs …`: what is done with runs that are there. */
export const runs = buildRouteMap({
  routes: { list, show, compare, rm },
  defaultCommand: 'list',
  docs: {
    brief: 'List, show, compare and delete runs',
    fullDescription: `List, show, compare and delete runs.

  shallows runs list                                   what there is, newest first
  shallows runs show RUN                               what it was, what came out, and whether its journal is whole
  shallows runs compare RUN RUN                        side by side, with what chance alone explains
  shallows runs rm RUN                                 delete it
  shallows runs COMMAND --help                         flags and examples`,
  },
});
