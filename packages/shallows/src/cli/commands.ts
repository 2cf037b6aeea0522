import { buildCommand, buildRouteMap } from '@stricli/core';
import type { Context } from './context.js';

const text = (input: string): string => input;

const json = {
  kind: 'boolean',
  brief: 'Print one JSON object on stdout at the end; progress stays on stderr',
  default: false,
  withNegated: false,
} as const;

const recipeAndOverrides = {
  kind: 'array',
  minimum: 1,
  parameter: { brief: 'A recipe file, then overrides such as train.duration=5ep', placeholder: 'RECIPE', parse: text },
} as const;

const train = buildCommand<{ 'run-dir'?: string; json: boolean }, string[], Context>({
  loader: () => import('./train.js'),
  parameters: {
    flags: {
      'run-dir': {
        kind: 'parsed',
        parse: text,
        optional: true,
        brief: 'Folder of the run, new or empty; default runs/NAME-TIME',
        placeholder: 'DIR',
      },
      json,
    },
    positional: recipeAndOverrides,
  },
  docs: {
    brief: 'Train a model from a recipe',
    customUsage: ['RECIPE [path.to.key=value ...] [--run-dir DIR] [--json]'],
    fullDescription: `Train a model from a recipe.

Any key of the recipe can be overridden; values are YAML. Changing a section's kind
leaves out what only the old kind has. Paths are relative to the current folder.

  shallows train recipes/quickstart.yaml
  shallows train recipes/resnet20-cifar10.yaml data.path=data/cifar10 train.duration=10ep
  shallows train recipes/quickstart.yaml depth.kind=none seed=2 --run-dir runs/plain
  shallows train recipes/quickstart.yaml 'depth={kind: stochastic, drop: 0.2}' --json

The run folder then holds run.json (what ran and what came out), journal.jsonl (every
event), model.safetensors (the weights) and report.html (open it in a browser).

Ctrl-C finishes the current step, saves, and exits with 130; a second one ends at once.
Exit codes: 0 done, 1 failed, 2 wrong usage or recipe, 130 interrupted and saved.`,
  },
});

const plan = buildCommand<{ json: boolean }, string[], Context>({
  loader: () => import('./plan.js'),
  parameters: { flags: { json }, positional: recipeAndOverrides },
  docs: {
    brief: 'Show what a recipe would drop and save, without training',
    customUsage: ['RECIPE [path.to.key=value ...] [--json]'],
    fullDescription: `Show what a recipe would drop and save, without training and without its data.

Lists each block with its drop rate, the mean number of active blocks, and the share of
the forward work that is saved.

  shallows plan recipes/resnet110-cifar10.yaml
  shallows plan recipes/resnet110-cifar10.yaml depth.drop=0.2 depth.schedule=uniform
  shallows plan recipes/quickstart.yaml --json | jq .expectedActive`,
  },
});

const evaluate = buildCommand<{ json: boolean }, [string], Context>({
  loader: () => import('./evaluate.js'),
  parameters: {
    flags: { json },
    positional: { kind: 'tuple', parameters: [{ brief: 'Folder of a finished run', placeholder: 'RUN', parse: text }] },
  },
  docs: {
    brief: 'Evaluate the model of a finished run',
    customUsage: ['RUN [--json]'],
    fullDescription: `Evaluate the model of a finished run on the data of its recipe: nothing is random.

  shallows evaluate runs/quickstart/stochastic
  shallows evaluate runs/resnet20-cifar10-20260105-101500 --json`,
  },
});

const env = buildCommand<{ json: boolean }, [], Context>({
  loader: () => import('./env.js'),
  parameters: { flags: { json } },
  docs: {
    brief: 'Print versions, devices, and where libtorch comes from',
    customUsage: ['[--json]'],
    fullDescription: `Print versions, threads, devices, and where libtorch comes from. Put it into a bug report.

  shallows env
  LIBTORCH=/opt/libtorch shallows env --json`,
  },
});

const setup = buildCommand<{ force: boolean }, [], Context>({
  loader: () => import('./setup.js'),
  parameters: {
    flags: { force: { kind: 'boolean', brief: 'Search and build again', default: false, withNegated: false } },
  },
  docs: {
    brief: 'Find or install libtorch and build the native addon',
    customUsage: ['[--force]'],
    fullDescription: `Find or install libtorch and build the native addon. Other commands do it when they need
it; nothing is done twice. libtorch is looked for in LIBTORCH, in the torch of python3, and
in the system; else pip installs it into the project.

  shallows setup
  shallows setup --force
  LIBTORCH=/opt/libtorch shallows setup`,
  },
});

const quickstart = buildCommand<{ json: boolean }, string[], Context>({
  loader: () => import('./quickstart.js'),
  parameters: {
    flags: { json },
    positional: {
      kind: 'array',
      parameter: {
        brief: 'Overrides of recipes/quickstart.yaml, for both trainings',
        placeholder: 'path=value',
        parse: text,
      },
    },
  },
  docs: {
    brief: 'Train a small network with and without stochastic depth',
    customUsage: ['[path.to.key=value ...] [--json]'],
    fullDescription: `Train a small network on generated pictures, with and without stochastic depth, in a few
minutes. Prints a table and writes runs/quickstart/report.html.

  shallows quickstart
  shallows quickstart depth.drop=0.2 train.duration=5ep`,
  },
});

/** All commands. What a command does is loaded when it runs, so that help needs neither libtorch nor the recipe's schema. */
export const commands = buildRouteMap({
  routes: { train, plan, evaluate, env, setup, quickstart },
  docs: {
    brief: 'Train in the shallows, deploy in the deep',
    fullDescription: `Train in the shallows, deploy in the deep: stochastic depth for neural networks.

  shallows quickstart                                  a first look, in a few minutes
  shallows plan recipes/resnet110-cifar10.yaml         what a recipe drops and saves
  shallows train recipes/resnet20-cifar10.yaml data.path=data/cifar10
  shallows COMMAND --help                              flags and examples`,
  },
});
