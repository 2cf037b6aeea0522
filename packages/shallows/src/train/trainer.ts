import { peakMemory, setDeterministic } from '@shallows/torch';
import type { RatedSite } from '../depth/index.js';
import { nameDropouts } from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import type { Module } from '../nn/index.js';
import { timeToBatches } from '../time/index.js';
import { alarmMessage } from './alarm.js';
import { placeRun, settledOrder } from './channels-last.js';
import { evaluateRun } from './evaluation.js';
import type { CheckpointFacts, EndReason, ModelSummary, TrainEvent } from './events.js';
import { agreeOnExecutions } from './executions.js';
import { AlgorithmError, named } from './handlers.js';
import { Loop } from './loop.js';
import { type Leftover, restore } from './restore.js';
import { Run } from './run.js';
import { takeSnapshot } from './snapshot.js';
import { readSnapshot } from './snapshot-numbers.js';
import type { Snapshot } from './state.js';
import type { TrainerOptions } from './trainer-options.js';

/** How a run ended. */
export type FitResult = Extract<TrainEvent, { kind: 'fit-end' }>;

/** Where a snapshot comes from, for the record. */
export interface LoadOptions {
  /** Its path. */
  readonly from?: string | null;
  /** Newer ones that were left out, and why. */
  readonly skipped?: readonly { readonly path: string; readonly why: string }[];
}

/**
 * Trains a model: for each batch it draws the plan of what drops, runs forward, backward and the optimizer, and counts
 * what really ran. Everything random is a function of (key, epoch, batch), so two runs with one key are equal bit for bit
 * on one machine, and so are a run that was interrupted and goes on from a snapshot, and one that was not.
 *
 * A step, with the events that algorithms are asked about: `onBatchStart`; for each microbatch `onMicrobatchStart`,
 * `onForwardStart`, the forward pass, `onForwardEnd`, `onLossStart`, the loss, `onLossEnd`, `onBackwardStart`, the backward
 * pass, `onBackwardEnd`, `onMicrobatchEnd`; then `onOptimizerStepStart`, the optimizer, `onOptimizerStepEnd`, `onBatchEnd`.
 */
export class Trainer {
  readonly #run: Run;
  #leftover: Leftover | null = null;
  #resumed: Extract<TrainEvent, { kind: 'resumed' }> | null = null;
  #running = false;

  /** @throws ShallowsError for options out of range, a duration that has no batch, or two dropouts of one name */
  constructor(options: TrainerOptions) {
    this.#run = new Run(options);
    nameDropouts(options.model);
  }

  /**
   * Runs until the duration is over, an algorithm stops it or the signal comes; resolves with how it ended.
   *
   * @throws ShallowsError where a loss is not finite, an algorithm fails (with its name and event), or it runs already
   */
  async fit(): Promise<FitResult> {
    const run = this.#run;
    if (this.#running) {
      throw new ShallowsError('Trainer.fit: expected a trainer at rest, got one that is running - wait for it');
    }
    this.#running = true;
    const wasDeterministic = run.options.deterministic ? setDeterministic(true) : null;
    run.ended = null;
    try {
      return await this.#fit();
    } finally {
      run.clock.stop();
      if (wasDeterministic !== null) setDeterministic(wasDeterministic);
      this.#running = false;
    }
  }

  /**
   * The run as it stands, in the middle of an epoch too: what follows from it is what would have followed, bit for bit. Its
   * tensors are the run's own, not copies: write or copy them before the next step. May be asked for in a callback, by an
   * algorithm in `onEpochStart`, `onOptimizerStepStart`, `onBatchEnd`, `onEpochEnd` and `onFitEnd`, and where nothing runs.
   *
   * In `onOptimizerStepStart` it has the gradients too, and a run that goes on from it begins with the optimizer's step.
   *
   * @throws ShallowsError in the middle of an operation, or where weights are not finite
   */
  state(): Snapshot {
    return takeSnapshot(this.#run);
  }

  /**
   * Takes a copy of a snapshot: `fit()` then goes on from there. The duration may be another one, and so may the number of
   * ranks; other settings that change what follows are warned about.
   *
   * @throws ShallowsError where the snapshot is of another run, model or optimizer, or while it runs
   */
  load(snapshot: Snapshot, { from = null, skipped = [] }: LoadOptions = {}): void {
    const run = this.#run;
    if (this.#running) {
      throw new ShallowsError('Trainer.load: expected a trainer at rest, got one that is running - load before fit()');
    }
    const { channelsLast } = run.options;
    placeRun(run, channelsLast === 'auto' ? readSnapshot(snapshot).settings.channelsLast : channelsLast);
    this.#freeLeftover();
    this.#leftover = restore(run, snapshot);
    this.#resumed = { kind: 'resumed', at: run.clock.progress(), from, skipped };
  }

  /**
   * Saves a snapshot between steps: see `Training.checkpoint`. With ranks, all of them must call it; rank 0 saves.
   */
  checkpoint(name: string, save: (snapshot: Snapshot) => Promise<CheckpointFacts>): Promise<void> {
    return this.#run.training.checkpoint(name, save);
  }

  /** Frees what the run holds beside model, optimizer and algorithms: sums, and losses that were not read back. */
  dispose(): void {
    this.#freeLeftover();
    this.#run.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #fit(): Promise<FitResult> {
    const run = this.#run;
    const { model, parallel } = run.options;
    if (!run.isPlaced) placeRun(run, await settledOrder(run));
    parallel?.start(run.parameters);
    await run.ranks.shareBuffers(model);
    run.clock.start();
    // Ranks must not differ in what depends on time, before the first batch either.
    if (parallel !== null) run.clock.agree((await run.ranks.fromFirst([run.clock.ownMs]))[0] ?? 0);
    let isStarted = false;
    let failed: AlgorithmError | null = null;
    try {
      await run.handlers.wait('onFitStart');
      isStarted = true;
      const reason = await this.#train();
      run.ended = reason;
      await this.#warnOfAlarms();
      run.depth.readyToEvaluate(run.clock.moment);
    } catch (error) {
      if (!isStarted && error instanceof AlgorithmError) failed = error;
      run.dispose();
      run.failed = true;
      // What other ranks wait for will not come.
      await parallel?.abort?.(error instanceof Error ? error.message : String(error)).catch(() => undefined);
      await this.#endAlgorithms(failed).catch(() => undefined);
      await run.saves.wait();
      throw error;
    }
    await this.#endAlgorithms(null);
    return this.#end();
  }

  async #train(): Promise<EndReason> {
    const run = this.#run;
    const { options, depth, ranks, clock } = run;
    const warnings = this.#goOn();
    const executions = await agreeOnExecutions(depth.executions, ranks);
    if (executions !== null) depth.settle(executions);
    await run.emit(this.#startEvent());
    if (this.#resumed !== null) await run.emit(this.#resumed);
    this.#resumed = null;
    for (const message of options.warnings) await this.#warn('advice', message);
    for (const message of warnings) await this.#warn('resume', message);
    await run.emitNotices();
    const every = Math.max(1, timeToBatches(options.evaluateEvery, clock.timeline));
    const reason = await new Loop(run, every).run();
    if (reason !== 'interrupted') await evaluateRun(run);
    return reason;
  }

  /** Puts in place what of a snapshot belongs to algorithms that have started, and to what they put in force. */
  #goOn(): readonly string[] {
    if (this.#leftover === null) return [];
    const { options, depth } = this.#run;
    const { algorithms, depth: counted, warnings } = this.#leftover;
    for (const algorithm of options.algorithms) {
      const state = algorithms.get(algorithm.name);
      if (state === undefined) continue;
      try {
        algorithm.loadStateDict?.(state);
      } catch (error) {
        throw named(algorithm, 'loadStateDict', error);
      }
    }
    depth.load(counted);
    this.#freeLeftover();
    return warnings;
  }

  #freeLeftover(): void {
    for (const { tensors } of this.#leftover?.algorithms.values() ?? []) {
      for (const each of Object.values(tensors)) each.dispose();
    }
    this.#leftover = null;
  }

  /** Those that have started are asked, the last one first. */
  async #endAlgorithms(failed: AlgorithmError | null): Promise<void> {
    const { handlers, options } = this.#run;
    if (failed !== null) {
      const names = options.algorithms.map(({ name }) => name);
      handlers.resume({ event: 'onFitEnd', asked: names.slice(names.indexOf(failed.algorithm) + 1) });
    }
    await handlers.wait('onFitEnd');
  }

  async #warnOfAlarms(): Promise<void> {
    const depth = this.#run.depth.report();
    const alarm = depth && alarmMessage(depth);
    if (alarm !== null) await this.#warn('drop-rates', alarm);
  }

  async #end(): Promise<FitResult> {
    const run = this.#run;
    const { clock, depth, times } = run;
    await run.saves.wait();
    await run.emitNotices();
    const end: FitResult = {
      kind: 'fit-end',
      at: clock.progress(),
      reason: run.ended ?? 'done',
      why: run.ended === 'stopped' ? run.stopReason : null,
      metrics: run.evaluation,
      depth: depth.report(),
      factor: depth.factorAt(clock.moment),
      timing: times.timing(clock.elapsedMs),
      peakMemoryBytes: peakBytes(run),
    };
    await run.emit(end);
    return end;
  }

  #startEvent(): TrainEvent {
    const { options, clock, depth, objective, place, ranks } = this.#run;
    const { model, modelName, batchSize, microbatches, algorithms, optimizer, precision, deterministic } = options;
    return {
      kind: 'fit-start',
      at: clock.progress(),
      model: modelSummary(modelName, model, depth.sites),
      executions: depth.executions,
      totalBatches: clock.totalBatches,
      totalEpochs: clock.totalBatches === null ? null : clock.totalBatches / clock.timeline.batchesPerEpoch,
      batchesPerEpoch: clock.timeline.batchesPerEpoch,
      batchSize,
      microbatches,
      task: objective.task,
      primary: objective.primary,
      algorithms: algorithms.map(({ name, options: settings = {} }) => ({ name, options: settings })),
      optimizer: optimizer.name,
      precision,
      channelsLast: place.channelsLast,
      deterministic,
      device: place.device,
      worldSize: ranks.size,
    };
  }

  async #warn(topic: 'advice' | 'drop-rates' | 'resume', message: string): Promise<void> {
    await this.#run.emit({ kind: 'warning', at: this.#run.clock.progress(), topic, message });
  }
}

/** What events and records say of a model. */
export function modelSummary(name: string, model: Module, sites: readonly RatedSite[]): ModelSummary {
  return {
    name,
    parameters: model.parameterCount,
    sites: sites.map(({ name: site, kind, layer, drop }) => ({ name: site, kind, layer, requested: drop })),
  };
}

function peakBytes({ place: { device } }: Run): number {
  const ofProcess = process.resourceUsage().maxRSS * 1024;
  return device.startsWith('cuda') ? peakMemory(device) : ofProcess;
}
