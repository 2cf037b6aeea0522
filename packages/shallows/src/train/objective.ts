import { Operator, type Tensor } from '@shallows/torch';
import type { Dataset, TaskKind } from '../data/index.js';
import { ShallowsError } from '../errors.js';
import {
  classificationMeters,
  languageMeters,
  type MeterKind,
  type Metrics,
  regressionMeters,
} from '../metrics/index.js';
import { crossEntropy, mseLoss } from '../nn/index.js';
import type { LossFunction } from './algorithm.js';
import type { PrimaryMetric } from './events.js';

/** What a task minimises, what it is measured by, and which way is better. */
export interface Objective {
  readonly task: TaskKind;
  /** The plain loss: what evaluation reports, and what is minimised unless the run says otherwise. */
  readonly loss: LossFunction;
  readonly meters: MeterKind;
  readonly primary: PrimaryMetric;
  /** Which way each metric is better. */
  readonly better: Readonly<Record<string, PrimaryMetric['better']>>;
}

/**
 * The objective of a dataset's task.
 *
 * | task | outputs | targets | loss | metrics | primary |
 * |---|---|---|---|---|---|
 * | classification | `[B, C]` | `[B]` or `[B, C]` | cross entropy | loss, accuracy | accuracy |
 * | regression | `[B, k]` | `[B, k]` | mean squared error | loss, rmse, mae, r2 | rmse |
 * | language | `[B, T, V]` | `[B, T]` | cross entropy a token | loss, perplexity, accuracy | perplexity |
 */
export function objectiveOf({ task, targetShape }: Pick<Dataset, 'task' | 'targetShape'>): Objective {
  switch (task) {
    case 'classification':
      return {
        task,
        loss: (outputs, targets) => crossEntropy(outputs, targets),
        meters: classificationMeters,
        primary: { name: 'accuracy', better: 'higher' },
        better: { loss: 'lower', accuracy: 'higher' },
      };
    case 'regression':
      return {
        task,
        loss: (outputs, targets) => mseLoss(outputs, targets),
        meters: regressionMeters(targetShape.reduce((product, each) => product * each, 1)),
        primary: { name: 'rmse', better: 'lower' },
        better: { loss: 'lower', rmse: 'lower', mae: 'lower', r2: 'higher' },
      };
    case 'language':
      return {
        task,
        loss: tokenEntropy,
        meters: languageMeters,
        primary: { name: 'perplexity', better: 'lower' },
        better: { loss: 'lower', perplexity: 'lower', accuracy: 'higher' },
      };
  }
}

/**
 * How much worse validation is than training, metric by metric: validation − train of what should be low, train − validation
 * of what should be high. Positive where a model overfits.
 */
export function gapOf({ better }: Objective, train: Metrics, validation: Metrics): Metrics {
  const gap: Record<string, number> & { loss: number } = { loss: validation.loss - train.loss };
  for (const [name, value] of Object.entries(validation)) {
    const other = train[name];
    if (other !== undefined) gap[name] = better[name] === 'higher' ? other - value : value - other;
  }
  return gap;
}

const reshape = new Operator('aten::reshape');

function tokenEntropy(outputs: Tensor, targets: Tensor): Tensor {
  const [batch = 0, length = 0, words = 0] = outputs.shape;
  if (outputs.ndim !== 3 || targets.shape.join() !== [batch, length].join()) {
    const got = `[${outputs.shape.join(', ')}] and [${targets.shape.join(', ')}]`;
    throw new ShallowsError(
      `language: expected outputs [B, T, V] and targets [B, T], got ${got} - give one row of logits a token`,
    );
  }
  const rows = reshape.call([outputs, [batch * length, words]]) as Tensor;
  return crossEntropy(rows, reshape.call([targets, [batch * length]]) as Tensor);
}
