import { keep, Operator, scope, zeros } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { evaluateRun } from './evaluation.js';
import type { EndReason, TrainEvent } from './events.js';
import { Feed } from './feed.js';
import type { BatchName } from './loss-window.js';
import { isHopeless, nonFiniteError, nonFiniteEvent } from './non-finite.js';
import { newTally, type Pending, type Run } from './run.js';
import { isLogged, StepRunner } from './step.js';

const add_ = new Operator('aten::add_', 'Tensor');
const fill_ = new Operator('aten::fill_', 'Scalar');

/** Most losses that wait to be read back. */
const WINDOW = 256;

type BatchEnd = Extract<TrainEvent, { kind: 'batch-end' }>;

/** Moves a run on, stage by stage, from wherever it is to its end. */
export class Loop {
  readonly #run: Run;
  readonly #steps: StepRunner;
  readonly #evaluateEvery: number;
  #feed: Feed | null = null;
  #feedEpoch = -1;
  #interrupted = false;

  /** @param evaluateEvery in batches */
  constructor(run: Run, evaluateEvery: number) {
    this.#run = run;
    this.#steps = new StepRunner(run);
    this.#evaluateEvery = evaluateEvery;
  }

  /** Runs until the duration is over, the signal comes or an algorithm stops it. */
  async run(): Promise<EndReason> {
    const run = this.#run;
    try {
      for (;;) {
        const end = this.#end();
        if (end !== null) {
          await this.#readLosses();
          return end;
        }
        switch (run.stage) {
          case 'epoch-start':
            await run.handlers.wait('onEpochStart');
            run.epoch = newTally(run.clock.elapsedMs);
            run.stage = 'batch';
            break;
          case 'batch':
            await this.#batch();
            break;
          case 'step':
            await this.#step();
            break;
          case 'batch-end':
            await this.#batchEnd();
            break;
          case 'after-batch':
            await this.#afterBatch();
            break;
          case 'epoch-end':
            await this.#epochEnd();
            break;
          case 'after-epoch':
            if (this.#isEvaluationDue) await evaluateRun(run);
            run.stage = 'epoch-start';
        }
      }
    } finally {
      run.busy = false;
      this.#steps.dispose();
      await this.#closeFeed();
    }
  }

  /** Why the run ends here; null where it goes on. */
  #end(): EndReason | null {
    const { stage, stopReason, clock, options, ranks, epoch } = this.#run;
    // A batch is finished before anything ends.
    if (stage === 'step' || stage === 'batch-end') return null;
    if (ranks.parallel === null ? options.signal?.aborted === true : this.#interrupted) return 'interrupted';
    if (stage !== 'batch' && stage !== 'epoch-start') return null;
    const end = stopReason !== null ? 'stopped' : clock.finished ? 'done' : null;
    // The epoch that has begun is told of first.
    if (end === null || stage === 'epoch-start' || epoch.batches === 0) return end;
    this.#run.stage = 'epoch-end';
    return null;
  }

  async #batch(): Promise<void> {
    const run = this.#run;
    const { clock, ranks } = run;
    const feed = this.#feedOf(clock.epoch);
    const ready = feed.ready(clock.batchInEpoch);
    if (ready !== undefined) await ready;
    run.busy = true;
    let start = performance.now();
    const pending = scope(() => {
      const batch = feed.read(clock.batchInEpoch);
      start = performance.now();
      return this.#steps.accumulate(batch);
    });
    run.pending = pending;
    const agreeing = this.#agree(pending);
    // Where ranks are lost the step fails first, and nobody waits for this.
    agreeing?.catch(() => undefined);
    const reduced = ranks.parallel?.finishStep();
    if (reduced !== undefined) await reduced;
    if (agreeing !== null) await agreeing;
    pending.dataWaitMs = feed.takeWaitedMs();
    pending.durationMs = performance.now() - start;
    const verdict = await this.#steps.judge(pending);
    run.busy = false;
    if (verdict === 'finite') {
      run.stage = 'step';
      return;
    }
    this.#steps.skip(pending, verdict);
    clock.advance(pending.samples);
    run.stage = 'batch-end';
    if (verdict === 'non-finite') await this.#nonFinite(pending);
  }

  async #step(): Promise<void> {
    const run = this.#run;
    const pending = pendingOf(run);
    const start = performance.now();
    run.badInARow = 0;
    run.busy = true;
    this.#steps.update(pending);
    run.busy = false;
    pending.durationMs += performance.now() - start;
    run.times.add(pending.durationMs, pending.active === pending.sites);
    run.clock.advance(pending.samples);
    run.stage = 'batch-end';
  }

  async #batchEnd(): Promise<void> {
    const run = this.#run;
    const { clock, options, epoch } = run;
    const asked = run.handlers.wait('onBatchEnd');
    if (asked !== undefined) await asked;
    const { loss: tensor, gradNorm: normTensor, indices, skipped, ...told } = pendingOf(run);
    if (skipped) tensor.dispose();
    else {
      run.lossSum ??= keep(zeros([], { dtype: 'float64', device: run.place.device }));
      add_.call([run.lossSum, tensor]);
      run.window.push(tensor, nameOf(run, clock.batch, indices));
      epoch.steps++;
    }
    epoch.batches++;
    epoch.active += told.active;
    epoch.stepMs += told.durationMs;
    epoch.dataWaitMs += told.dataWaitMs;
    run.pending = null;
    run.stage = 'after-batch';
    const logged = isLogged(clock.batch, options.logEvery);
    const loss = logged || run.window.size >= WINDOW ? await this.#readLosses() : null;
    const gradNorm = logged ? (normTensor?.item() ?? null) : null;
    normTensor?.dispose();
    const event: BatchEnd = {
      kind: 'batch-end',
      at: clock.progress(),
      loss: logged && !skipped ? loss : null,
      gradNorm,
      ...told,
    };
    const telling = run.emit(event);
    if (telling !== undefined) await telling;
    if (run.notices.length > 0 || run.saves.hasNews) await run.emitNotices();
    // Signals and timers get their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #afterBatch(): Promise<void> {
    const run = this.#run;
    const { clock } = run;
    if (clock.batchInEpoch !== 0 && this.#isEvaluationDue) await evaluateRun(run);
    run.stage = clock.batchInEpoch === 0 ? 'epoch-end' : 'batch';
  }

  async #epochEnd(): Promise<void> {
    const run = this.#run;
    const { clock, epoch, lossSum } = run;
    await run.handlers.wait('onEpochEnd');
    await this.#readLosses();
    const total = lossSum?.item() ?? 0;
    lossSum?.dispose();
    run.lossSum = null;
    await this.#closeFeed();
    run.epoch = newTally(clock.elapsedMs);
    run.stage = 'after-epoch';
    await run.emit({
      kind: 'epoch-end',
      at: clock.progress(),
      trainLoss: total / epoch.steps,
      durationMs: clock.elapsedMs - epoch.startMs,
      realised: epoch.active / epoch.batches,
      meanStepMs: epoch.stepMs / epoch.batches,
      dataWaitMs: epoch.dataWaitMs,
      lossScale: run.scaler?.scale ?? null,
    });
    await run.emitNotices();
  }

  /**
   * Reads back the losses that wait, and returns the last.
   *
   * @throws ShallowsError that names the first batch whose loss is not finite
   */
  async #readLosses(): Promise<number | null> {
    const run = this.#run;
    const { losses, names } = run.window.take();
    const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
    const name = names[wrong];
    if (name === undefined) return losses.at(-1) ?? null;
    const loss = losses[wrong] ?? Number.NaN;
    await run.emit(nonFiniteEvent(run, name, loss));
    throw nonFiniteError(run, name, loss);
  }

  async #nonFinite(pending: Pending): Promise<void> {
    const run = this.#run;
    const name = nameOf(run, run.clock.batch, pending.indices);
    const loss = pending.loss.item();
    run.badInARow++;
    await run.emit(nonFiniteEvent(run, name, loss));
    if (run.options.onNonFinite === 'stop' || isHopeless(run)) throw nonFiniteError(run, name, loss);
  }

  /**
   * Tells the other ranks whether this one was told to stop, and takes the time of rank 0. The loss becomes that of the whole
   * batch on every rank, so that what rank 0 saves of it is all there is to know.
   */
  #agree({ loss }: Pending): Promise<void> | null {
    const { ranks, options, clock } = this.#run;
    if (ranks.parallel === null) return null;
    const elapsedMs = ranks.leads ? clock.ownMs : 0;
    const stop = options.signal?.aborted === true ? 1 : 0;
    return ranks.sum([stop, elapsedMs, loss.item()]).then(([stops = 0, elapsed = 0, total = 0]) => {
      this.#interrupted ||= stops > 0;
      clock.agree(elapsed);
      fill_.call([loss, total]);
    });
  }

  get #isEvaluationDue(): boolean {
    return this.#run.clock.batch % this.#evaluateEvery === 0;
  }

  #feedOf(epoch: number): Feed {
    if (this.#feed !== null && this.#feedEpoch === epoch) return this.#feed;
    const { options, clock } = this.#run;
    const source = options.source(epoch);
    const { batchesPerEpoch } = clock.timeline;
    if (source.length !== batchesPerEpoch) {
      throw new ShallowsError(
        `Trainer: expected ${batchesPerEpoch} batches in epoch ${epoch}, as in the first, got ${source.length} - give a source whose epochs are alike`,
      );
    }
    this.#feed = new Feed(source);
    this.#feedEpoch = epoch;
    return this.#feed;
  }

  async #closeFeed(): Promise<void> {
    const feed = this.#feed;
    this.#feed = null;
    await feed?.close();
  }
}

function pendingOf({ pending }: Run): Pending {
  if (pending !== null) return pending;
  throw new ShallowsError(
    'Trainer: expected a batch that is being finished, got none - load a snapshot of this version',
  );
}

/** The batch that was the so many-th to be finished. */
function nameOf({ clock: { timeline } }: Run, batch: number, indices: Uint32Array): BatchName {
  const { batchesPerEpoch } = timeline;
  const epoch = Math.floor((batch - 1) / batchesPerEpoch);
  return { batch, epoch, batchInEpoch: (batch - 1) % batchesPerEpoch, indices };
}
