import { ShallowsError } from '../errors.js';
import { isPlateauSchedule } from '../nn/index.js';
import { evaluateModel } from './evaluate.js';
import type { Evaluation } from './events.js';
import { gapOf } from './objective.js';
import type { Run } from './run.js';

/** Measures both sides of a run in evaluation mode and tells everyone; once after each batch, however often it is asked. */
export async function evaluateRun(run: Run): Promise<void> {
  const { options, clock, depth, objective, handlers, ranks } = run;
  if (run.evaluatedAt === clock.batch) return;
  const { model, train, validation, trainSubset, evaluationBatchSize, precision, schedule } = options;
  const start = performance.now();
  depth.readyToEvaluate(clock.moment);
  run.evaluating = true;
  let evaluation: Evaluation;
  try {
    await handlers.wait('onEvaluationStart');
    // After averages were put in place of weights: their running means are the first rank's too.
    await ranks.shareBuffers(model);
    const shared = { batchSize: evaluationBatchSize, precision, objective, parallel: ranks.parallel, ...run.place };
    const rows = Math.min(trainSubset, train.size);
    const measured = {
      train: await evaluateModel(model, train, { ...shared, rows }),
      validation: await evaluateModel(model, validation, shared),
    };
    evaluation = { ...measured, gap: gapOf(objective, measured.train, measured.validation) };
    run.evaluation = evaluation;
    await handlers.wait('onEvaluationEnd', evaluation);
  } finally {
    run.evaluating = false;
  }
  requireFinite(run, evaluation);
  if (isPlateauSchedule(schedule)) schedule.report(metricFor(run, evaluation));
  run.evaluatedAt = clock.batch;
  const durationMs = performance.now() - start;
  await run.emit({ kind: 'evaluation', at: clock.progress(), durationMs, ...evaluation });
}

function metricFor({ options: { scheduleMetric } }: Run, { validation }: Evaluation): number {
  const metric = validation[scheduleMetric];
  if (metric !== undefined) return metric;
  throw new ShallowsError(
    `Trainer: expected scheduleMetric of ${Object.keys(validation).join(', ')}, got '${scheduleMetric}' - name a metric of the task`,
  );
}

function requireFinite({ options, clock }: Run, { train, validation }: Evaluation): void {
  const wrong = [train.loss, validation.loss].find((loss) => !Number.isFinite(loss));
  if (wrong === undefined || options.onNonFinite !== 'stop') return;
  throw new ShallowsError(
    `Trainer: expected a finite loss, got ${wrong} in the evaluation after batch ${clock.batch} - lower the learning rate, or warm it up`,
  );
}
