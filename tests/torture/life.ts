import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainEvent } from 'shallows/train';
import { live } from './training.js';

// One life of a run, in a process that may be killed: node life.js FOLDER BATCHES. Every loss and evaluation is written down
// as it is told; the parent hears where the life stands.

/** What a life says to its parent. */
export type Said =
  | { readonly kind: 'step'; readonly batch: number }
  | { readonly kind: 'saving' }
  | { readonly kind: 'saved'; readonly batch: number }
  | { readonly kind: 'ended'; readonly reason: string };

const [folder = '', batches = ''] = process.argv.slice(2);
const say = (said: Said): void => void process.send?.(said);
// A line goes out in one call: a kill cuts none.
const note = (line: string): void => appendFileSync(join(folder, 'told.log'), `${line}\n`);

function onEvent(event: TrainEvent): void {
  const { batch } = event.at;
  if (event.kind === 'batch-end') {
    note(`loss ${batch} ${event.loss} ${event.lr} ${event.active} ${event.factor}`);
    say({ kind: 'step', batch });
  } else if (event.kind === 'evaluation') {
    note(`evaluation ${batch} ${JSON.stringify([event.train, event.validation])}`);
  } else if (event.kind === 'epoch-end') {
    note(`epoch ${batch} ${event.trainLoss} ${event.realised}`);
  } else if (event.kind === 'checkpoint' && event.failure === null) {
    say({ kind: 'saved', batch });
  } else if (event.kind === 'checkpoint' || event.kind === 'warning') {
    throw new Error(`expected no warnings, got ${JSON.stringify(event)}`);
  }
}

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const { reason } = await live({
  folder: join(folder, 'checkpoints'),
  batches: Number(batches),
  callbacks: [{ onEvent }],
  signal: stop.signal,
  onSave: () => say({ kind: 'saving' }),
});
say({ kind: 'ended', reason });
process.disconnect?.();
