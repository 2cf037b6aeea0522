import { buildCommand, buildRouteMap } from '@stricli/core';
import type { Context } from './context.js';
import type { EvaluateFlags } from './evaluate.js';
import { launch } from './launch-command.js';
import type { PlanFlags } from './plan.js';
import { runs } from './runs-commands.js';

const numberFrom0 =
  (expected: string, fits: (value: number) => boolean) =>
  (input: string): number => {
    const value = input.trim() === '' ? Number.NaN : Number(input);
    if (value >= 0 && fits(value)) return value;
    throw new Error(`expected ${expected}, got ${JSON.stringify(input)}`);
  };

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

const train = buildCommand<{ 'run-dir'?: string; resume?: string; json: boolean }, string[], Context>({
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
      resume: {
        kind: 'parsed',
        parse: text,
        optional: true,
        brief: 'Go on from the newest good checkpoint (auto), or from a run or checkpoint',
        placeholder: 'auto|PATH',
      },
      json,
    },
    positional: recipeAndOverrides,
  },
  docs: {
    brief: 'Train a model from a recipe',
    customUsage: ['RECIPE [path.to.key=value ...] [--run-dir DIR] [--resume auto|PATH] [--json]'],
    fullDescription: `Train a model from a recipe.

Any key of the recipe can be overridden; values are YAML. Changing a section's kind
leaves out what only the old kind has. Paths are relative to the current folder.

  shallows train recipes/quickstart.yaml
  shallows train recipes/resnet20-cifar10.yaml data.path=data/cifar10 train.duration=10ep
  shallows train recipes/quickstart.yaml depth.kind=none seed=2 --run-dir runs/plain
  shallows train recipes/quickstart.yaml 'depth={kind: stochastic, drop: 0.2}' --json
  shallows train recipes/quickstart.yaml --run-dir runs/mine --resume auto

With --resume auto a run goes on from its newest checkpoint that verifies, bit for bit as if
it had not stopped, and starts from the beginning where there is none: the same command
starts and restarts a job. --resume PATH goes on with a run, or from one of its checkpoints.

The run folder then holds run.json (what ran and what came out), journal.jsonl (every
event), model.safetensors (the weights), checkpoints/ and report.html (open it in a browser).

Ctrl-C finishes the current step, saves, and exits with 130; a second one ends at once.
Exit codes: 0 done, 1 failed, 2 wrong usage or recipe, 130 interrupted and saved.`,
  },
});

const pictureFlag = (kind: string) =>
  ({
    kind: 'parsed',
    parse: text,
    optional: true,
    brief: `Draw the plan into a file that ends with .${kind}`,
    placeholder: 'FILE',
  }) as const;

const plan = buildCommand<PlanFlags, string[], Context>({
  loader: () => import('./plan.js'),
  parameters: {
    flags: {
      advise: {
        kind: 'boolean',
        brief: 'Say what published experience has to say about this, with its source',
        default: false,
        withNegated: false,
      },
      measure: {
        kind: 'boolean',
        brief: 'Run training steps to measure what each block takes on this machine',
        default: false,
        withNegated: false,
      },
      'rate-for-saving': {
        kind: 'parsed',
        parse: numberFrom0('a share above 0 and below 1, such as 0.25', (share) => share > 0 && share < 1),
        optional: true,
        brief: 'Which top drop rate saves this share of the work, or with --measure of the time',
        placeholder: 'SHARE',
      },
      svg: pictureFlag('svg'),
      png: pictureFlag('png'),
      json,
    },
    positional: recipeAndOverrides,
  },
  docs: {
    brief: 'Show what a recipe would drop and save, without training',
    customUsage: [
      'RECIPE [path.to.key=value ...] [--advise] [--measure] [--rate-for-saving SHARE] [--svg FILE] [--png FILE] [--json]',
    ],
    fullDescription: `Show what a recipe would drop and save, without training and without its data.

Draws the drop rates over depth, the exact distribution of the number of active blocks,
and the share of the forward work that is saved. With --measure also the time of a step.

  shallows plan recipes/resnet110-cifar10.yaml
  shallows plan recipes/resnet110-cifar10.yaml depth.drop=0.2 depth.schedule=uniform
  shallows plan recipes/resnet110-cifar10.yaml --rate-for-saving 0.25 --measure
  shallows plan recipes/quickstart.yaml depth.drop=0.5 --advise --png plan.png
  shallows plan recipes/quickstart.yaml --json | jq .active.mean`,
  },
});

const evaluate = buildCommand<EvaluateFlags, [string], Context>({
  loader: () => import('./evaluate.js'),
  parameters: {
    flags: {
      skip: {
        kind: 'parsed',
        parse: text,
        variadic: ',',
        optional: true,
        brief: 'Blocks to leave out, or what they are under: layer1.1,layer3',
        placeholder: 'NAMES',
      },
      'exit-after': {
        kind: 'parsed',
        parse: numberFrom0('a whole number of blocks', Number.isSafeInteger),
        optional: true,
        brief: 'Run only the first N blocks',
        placeholder: 'N',
      },
      'prune-to': {
        kind: 'parsed',
        parse: numberFrom0('a share from 0 to 1', (share) => share <= 1),
        optional: true,
        brief: 'Leave out the blocks with the highest drop rates until this share is left',
        placeholder: 'SHARE',
      },
      mc: {
        kind: 'parsed',
        parse: numberFrom0('a whole number of passes from 2', (passes) => Number.isSafeInteger(passes) && passes >= 2),
        optional: true,
        brief: 'Predict with N random passes, and say whether their spread knows the errors',
        placeholder: 'N',
      },
      'mc-seed': {
        kind: 'parsed',
        parse: numberFrom0('a whole number', Number.isSafeInteger),
        optional: true,
        brief: 'What the masks of the passes follow from; default 0',
        placeholder: 'N',
      },
      calibrate: {
        kind: 'boolean',
        brief: 'Say whether probabilities are as frequent as they claim, and fit a temperature',
        default: false,
        withNegated: false,
      },
      json,
    },
    positional: { kind: 'tuple', parameters: [{ brief: 'Folder of a finished run', placeholder: 'RUN', parse: text }] },
  },
  docs: {
    brief: 'Evaluate the model of a finished run',
    customUsage: [
      'RUN [--skip NAMES] [--exit-after N] [--prune-to SHARE] [--mc N [--mc-seed N]] [--calibrate] [--json]',
    ],
    fullDescription: `Evaluate the model of a finished run on the data of its recipe: nothing is random.

Whole, or as the smaller network without some of its blocks: several flags leave out what
any of them does.

  shallows evaluate runs/quickstart/stochastic
  shallows evaluate runs/quickstart/stochastic --prune-to 0.7
  shallows evaluate runs/quickstart/stochastic --skip layer1.1,layer3
  shallows evaluate runs/resnet20-cifar10-20260105-101500 --exit-after 6 --json

With --mc the dropouts and the stochastic depth of the network stay random: the mean of the
passes is the prediction, their spread its uncertainty, which is held against the errors and
against the highest probability of the plain network. With --calibrate the probabilities are
held against the frequencies. Both go into evaluation.json and the report of the run.

  shallows evaluate runs/digits --mc 30 --calibrate`,
  },
});

const inspect = buildCommand<{ json: boolean }, string[], Context>({
  loader: () => import('./inspect.js'),
  parameters: {
    flags: { json },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: {
        brief: 'Folder of a finished run; or a recipe file, then overrides such as model.headDrop=0.1',
        placeholder: 'RUN|RECIPE',
        parse: text,
      },
    },
  },
  docs: {
    brief: 'List every source of randomness in a model, and advise on it',
    customUsage: ['RUN [--json]', 'RECIPE [path.to.key=value ...] [--json]'],
    fullDescription: `List every source of randomness in a model: dropouts, stochastic depth, and operators that
draw without a key; with its rate, what one decision covers, and between which operators
it stands. Then what experience says about where the model drops.

The model runs three times on two rows of zeros. A run with batch norm behind dropout also
has the shift of its variances measured on its data.

  shallows inspect recipes/vit-ti-cifar10.yaml model.headDrop=0.1
  shallows inspect runs/quickstart/stochastic
  shallows inspect recipes/quickstart.yaml --json | jq .inventory.sites`,
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
  routes: { train, launch, plan, inspect, evaluate, runs, env, setup, quickstart },
  docs: {
    brief: 'Train in the shallows, deploy in the deep',
    fullDescription: `Train in the shallows, deploy in the deep: stochastic depth for neural networks.

  shallows quickstart                                  a first look, in a few minutes
  shallows plan recipes/resnet110-cifar10.yaml         what a recipe drops and saves
  shallows train recipes/resnet20-cifar10.yaml data.path=data/cifar10
  shallows COMMAND --help                              flags and examples`,
  },
});
