import { scope } from '@shallows/torch';
import type { DataFacts, Training } from './algorithm.js';
import type { Run } from './run.js';
import { takeSnapshot } from './snapshot.js';

/** A run as its algorithms see it. */
export function trainingOf(run: Run): Training {
  const { options, clock, depth } = run;
  const { model, optimizer, schedule, precision, train, batchSize, key } = options;
  const data: DataFacts = Object.freeze({
    task: run.objective.task,
    classes: train.classes,
    inputShape: train.inputShape,
    targetShape: train.targetShape,
    size: train.size,
    batchSize,
  });
  const world = Object.freeze({ rank: run.ranks.rank, size: run.ranks.size });
  return {
    model,
    optimizer,
    schedule,
    precision,
    world,
    data,
    key,
    timeline: clock.timeline,
    get policy() {
      return depth.policy;
    },
    get progress() {
      return clock.progress();
    },
    get loss() {
      return run.loss;
    },
    set loss(loss) {
      run.loss = loss;
    },
    get evaluation() {
      return run.evaluation;
    },
    get gradNorm() {
      return run.gradNorm;
    },
    set gradNorm(norm) {
      run.gradNorm = norm;
    },
    get ended() {
      return run.ended;
    },
    exampleRow: () => run.example(1),
    useDepth: (policy, sites) => depth.use(policy, sites),
    stop: (reason) => {
      run.stopReason ??= reason;
    },
    warn: (message) => void run.notices.push(message),
    state: () => takeSnapshot(run),
    async checkpoint(name, save) {
      const start = performance.now();
      if (run.ranks.parallel !== null) await run.ranks.shareBuffers(model);
      const starting = run.handlers.wait('onCheckpointStart');
      if (starting !== undefined) await starting;
      const at = clock.progress();
      // What the snapshot makes beside the run's own tensors is freed once it is copied. Only rank 0 writes.
      const { saving } = scope(() => ({ saving: run.ranks.leads ? save(takeSnapshot(run)) : null }));
      const ending = run.handlers.wait('onCheckpointEnd');
      if (ending !== undefined) await ending;
      if (saving !== null) run.saves.follow(name, at, start, performance.now() - start, saving);
    },
  };
}
