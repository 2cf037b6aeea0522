import { createHash } from 'node:crypto';
import { fromTypedArray } from '@shallows/torch';
import { shown } from '../../errors.js';
import { arrayDataset } from '../array-dataset.js';
import type { Dataset } from '../dataset.js';
import { splitByHash } from '../split.js';
import { type DataSplits, dataSplits } from '../splits.js';
import { type ArrayRows, firstRows, inputsOf, pickRows, refuse, rowBytes, targetsOf } from './array-rows.js';
import { type ArrayScaling, scaled, scalingOf } from './array-scaling.js';
import type { NpyConfig, NpzConfig } from './arrays-config.js';
import { type NumpyArray, readNpy } from './npy.js';
import { readNpz } from './npz.js';

type Config = NpyConfig | NpzConfig;

interface Facts {
  readonly kind: Config['kind'];
  readonly inputShape: readonly number[];
  readonly targetShape: readonly number[];
  readonly task: 'classification' | 'regression';
  readonly classes: readonly string[] | null;
  readonly vocabulary: number | null;
}

/**
 * Reads inputs and targets from NumPy arrays.
 *
 * @throws ShallowsError that names the file and what in it does not fit
 */
export async function loadArrays(config: Config): Promise<DataSplits> {
  const { validationInputs, validationTargets, validationShare = 0.2, inputDtype = 'float32', limit = {} } = config;
  if ((validationInputs === undefined) !== (validationTargets === undefined))
    refuse('both validationInputs and validationTargets', 'one', 'give both or none');
  if (config.standardise === true && inputDtype === 'int64')
    refuse('float32 inputs to standardise', 'int64', 'leave one out');
  const inputs = await readOne(config, config.inputs);
  const targets = await readOne(config, config.targets);
  const task = taskOf(config, targets);
  const make = (x: NumpyArray, y: NumpyArray, xName: string, yName: string): ArrayRows => {
    if (x.shape[0] !== y.shape[0])
      refuse(
        `as many rows in ${yName} as the ${x.shape[0]} of ${xName}`,
        String(y.shape[0]),
        'give arrays that belong together',
      );
    return {
      name: xName,
      count: x.shape[0] ?? 0,
      inputs: inputsOf(x, xName, inputDtype),
      targets: targetsOf(y, yName, task),
    };
  };
  const all = make(inputs, targets, config.inputs, config.targets);
  let [train, validation] = [all, all];
  if (validationInputs !== undefined && validationTargets !== undefined) {
    const [x, y] = [await readOne(config, validationInputs), await readOne(config, validationTargets)];
    if (x.shape.slice(1).join() !== inputs.shape.slice(1).join())
      refuse(
        `rows [${inputs.shape.slice(1).join(', ')}] in ${validationInputs}`,
        `[${x.shape.slice(1).join(', ')}]`,
        'give arrays of one shape',
      );
    validation = make(x, y, validationInputs, validationTargets);
  } else {
    const split = splitByHash(rowBytes(all), validationShare);
    train = pickRows(all, split.train);
    validation = pickRows(all, split.validation);
  }
  train = firstRows(train, limit.train);
  validation = firstRows(validation, limit.validation);
  const classes = task === 'classification' ? classNames(config, [train, validation]) : null;
  const targetShape = task === 'classification' ? [] : [targets.shape[1] ?? 1];
  const vocabulary = vocabularyOf([train, validation]);
  const facts: Facts = { kind: config.kind, inputShape: inputs.shape.slice(1), targetShape, task, classes, vocabulary };
  const scaling = config.standardise === true ? scalingOf(train, facts.inputShape[0] ?? 1) : null;
  const fitted = { classes, ...(scaling === null ? {} : { mean: scaling.mean, std: scaling.std }) };
  return dataSplits(open('train', train, facts, scaling), open('validation', validation, facts, scaling), fitted);
}

async function readOne(config: Config, name: string): Promise<NumpyArray> {
  if (config.kind === 'npy') return readNpy(name);
  const found = (await readNpz(config.path, [name])).get(name);
  if (found !== undefined) return found;
  return refuse(`an array ${shown(name)} in ${config.path}`, 'none', 'name one that it has');
}

function taskOf({ task }: Config, { dtype, shape }: NumpyArray): 'classification' | 'regression' {
  const whole = !dtype.startsWith('float') && !dtype.startsWith('complex');
  const found = task ?? (whole && shape.length === 1 ? 'classification' : 'regression');
  const fits = found === 'classification' ? whole && shape.length === 1 : shape.length === 1 || shape.length === 2;
  if (fits && !dtype.startsWith('complex')) return found;
  const expected = found === 'classification' ? 'whole numbers [N] as classes' : 'numbers [N] or [N, k] as targets';
  return refuse(expected, `${dtype} [${shape.join(', ')}]`, 'convert them, or write the other task');
}

function classNames({ classes }: Config, parts: readonly ArrayRows[]): readonly string[] {
  let most = 0;
  for (const { targets } of parts) for (const label of targets) most = Math.max(most, label);
  if (classes === undefined) return Array.from({ length: most + 1 }, (_, label) => String(label));
  if (most < classes.length) return classes;
  return refuse(`targets from 0 to ${classes.length - 1}`, String(most), 'name its class');
}

/** One more than the largest input, where inputs are whole numbers. */
function vocabularyOf(parts: readonly ArrayRows[]): number | null {
  let most = -1n;
  for (const { inputs } of parts) {
    if (!(inputs instanceof BigInt64Array)) return null;
    for (const value of inputs) if (value > most) most = value;
  }
  return Number(most) + 1;
}

function open(part: 'train' | 'validation', rows: ArrayRows, facts: Facts, scaling: ArrayScaling | null): Dataset {
  const { kind, inputShape, targetShape, task, classes, vocabulary } = facts;
  const { count, inputs, targets } = rows;
  const hash = createHash('sha256').update(`${JSON.stringify({ count, inputShape, targetShape, task, classes })}\n`);
  for (const { buffer, byteOffset, byteLength } of [inputs, targets])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  const counts = classes?.map(() => 0) ?? null;
  if (counts !== null) for (const label of targets) counts[label] = (counts[label] ?? 0) + 1;
  return arrayDataset({
    name: `${kind}/${part}`,
    task,
    digest: hash.digest('hex'),
    inputs: scaled(fromTypedArray(inputs, [count, ...inputShape]), scaling),
    targets: fromTypedArray(targets, [count, ...targetShape], { dtype: classes === null ? 'float32' : 'int64' }),
    classes,
    classCounts: counts,
    vocabulary,
  });
}
