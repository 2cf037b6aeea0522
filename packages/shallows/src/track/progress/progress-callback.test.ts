import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { FakeTerminal } from '../../../../../tests/support/fake-terminal.js';
import { nonFinite, resumed } from '../../../../../tests/support/journal-events.js';
import { eventsOf, type SyntheticOptions } from '../../../../../tests/support/synthetic-run.js';
import type { TrainEvent } from '../../train/events.js';
import { type ProgressOptions, progressCallback } from './progress-callback.js';
import { advance, atRest } from './standing.js';
import { statusLine } from './status-line.js';

const small: SyntheticOptions = { sites: 4, epochs: 3, perEpoch: 5 };
const model = {
  name: 'net',
  parameters: 1,
  sites: [0.1, 0.2, 0.3, 0.4].map((requested, i) => ({ name: `b${String(i)}`, kind: 'basic', layer: i, requested })),
};

const events = (more: SyntheticOptions = {}): TrainEvent[] => [...eventsOf({ ...small, ...more }, model)];

/** Tells events to a progress display, 40 ms apart. */
async function tell(told: Iterable<TrainEvent>, options: ProgressOptions, stepMs = 40): Promise<Disposable> {
  let time = 0;
  const callback = progressCallback({ env: {}, now: () => time, ...options });
  for (const event of told) {
    time += stepMs;
    await callback.onEvent(event);
  }
  return callback;
}

/** What is written where there is no terminal. */
async function lines(told: Iterable<TrainEvent>, options: ProgressOptions = {}): Promise<string[]> {
  const writes: string[] = [];
  await tell(told, { output: { isTTY: false, write: (text: string) => writes.push(text) }, ...options });
  return writes;
}

/** A terminal after these events. */
async function terminal(
  told: Iterable<TrainEvent>,
  {
    columns = 200,
    rows = 8,
    stepMs = 40,
    ...options
  }: ProgressOptions & { columns?: number; rows?: number; stepMs?: number } = {},
): Promise<FakeTerminal> {
  const output = new FakeTerminal(columns, rows);
  await tell(told, { output, ...options }, stepMs);
  return output;
}

describe('where there is no terminal', () => {
  test('prints a line for each epoch and each evaluation', async () => {
    const writes = await lines(events());
    expect(writes).toHaveLength(6);
    expect(writes.join('')).not.toContain('\u001b');
    expect(writes[0]).toMatch(
      /^epoch 1\/3: loss [\d.]+, [\d.]+ ms\/step, \d\.\d of 4 blocks active, [\d.]+ ms so far, [\d.]+ ms left\n$/,
    );
    expect(writes[1]).toMatch(
      /^epoch 1\/3: validation \d+\.\d % \(loss [\d.]+\), train \d+\.\d % \(loss [\d.]+\), gap -?\d+\.\d points\n$/,
    );
    expect(writes[3]).toMatch(/, best so far\n$/);
    expect(writes[4]).toMatch(/^epoch 3\/3: loss .* so far\n$/);
  });

  test('says which evaluation was best, by the metric that the run is judged by', async () => {
    const worse = events({ task: 'regression' }).map((event): TrainEvent => {
      if (event.kind !== 'evaluation') return event;
      const rmse = event.at.epoch === 2 ? 0.5 : 0.75;
      return { ...event, validation: { loss: 2, rmse }, train: { loss: 1, rmse: 0.25 }, gap: { loss: 1, rmse: 0.5 } };
    });
    const said = (await lines(worse)).filter((line) => line.includes('validation'));
    expect(said).toEqual([
      'epoch 1/3: validation RMSE 0.7500 (loss 2.00), train RMSE 0.2500 (loss 1.00), gap 0.5\n',
      'epoch 2/3: validation RMSE 0.5000 (loss 2.00), train RMSE 0.2500 (loss 1.00), gap 0.5, best so far\n',
      'epoch 3/3: validation RMSE 0.7500 (loss 2.00), train RMSE 0.2500 (loss 1.00), gap 0.5, best 0.5000 at epoch 2\n',
    ]);
    expect((await lines(events({ task: 'language' })))[1]).toMatch(
      /validation perplexity [\d.]+ \(loss [\d.]+\), train/,
    );
  });

  test('says what went wrong and what was gone on from', async () => {
    const failed: TrainEvent = {
      ...(events()[0] as Extract<TrainEvent, { kind: 'fit-start' }>),
      kind: 'checkpoint',
      name: 'last',
      path: null,
      bytes: null,
      saveMs: 1,
      stallMs: 1,
      failure: 'no space',
    };
    const stopped = events({ status: 'stopped' }).at(-1);
    const lowered = { ...nonFinite, action: 'lower', loss: 2, lrFactor: 0.5 } as TrainEvent;
    const said = await lines([
      resumed,
      nonFinite,
      lowered,
      failed,
      { ...failed, failure: null },
      ...(stopped ? [stopped] : []),
    ]);
    expect(said).toEqual([
      'resumed at batch 3 from checkpoints/batch-3; left out checkpoints/batch-4: digest\n',
      'warning: batch 4 of epoch 0 (both from 0): loss not a number - the step is left out\n',
      'warning: batch 4 of epoch 0 (both from 0): a gradient that is not finite - the step is left out, and the learning rate is 50.0 % of its schedule from here\n',
      'warning: the checkpoint last was not saved: no space\n',
      'stopped: accuracy did not rise for 5 evaluations\n',
    ]);
  });

  test('labels lines, and warns', async () => {
    const said = await lines(events({ advice: ['mind the gap'] }), { label: 'a' });
    expect(said[0]).toBe('a: warning: mind the gap\n');
    expect(said.every((line) => line.startsWith('a: '))).toBe(true);
  });
});

describe('on a terminal', () => {
  test('redraws one line, ten times a second at most, and takes it away', async () => {
    const output = await terminal(events());
    const draws = output.writes.filter((text) => text.startsWith('\r\u001b[J') && text.length > 5);
    // 1 at the start, 2 after the evaluations in between, and one each 120 ms of 15 steps of 40 ms.
    expect(draws.length).toBeGreaterThanOrEqual(6);
    expect(draws.length).toBeLessThanOrEqual(9);
    expect(
      draws
        .map(stripVTControlCharacters)
        .filter((text) => text.includes('acc '))[0]
        ?.trim(),
    ).toMatch(
      /^epoch \d\/3 {2}[━]+ {2} +\d+ % {2}batch \d+\/15 {2}loss [\d.]+ {2}acc \d+\.\d % {2}lr [\d.]+ {2}[\d.]+ ms\/step {2}blocks \d\/4 {2}ETA [\d.]+ m?s$/,
    );
    expect(output.screen).toHaveLength(3);
    expect(output.screen.every((row) => row.includes('validation'))).toBe(true);
    expect(output.cursorRow).toBe(3);
  });

  test('keeps warnings on lines of their own, coloured unless told not to', async () => {
    const told = events({ advice: ['mind the gap'] });
    const output = await terminal(told);
    expect(output.screen[0]).toBe('warning: mind the gap');
    expect(output.writes.join('')).toContain('\u001b[33mwarning\u001b[0m: mind the gap');
    const plain = await terminal(told, { env: { NO_COLOR: '1' }, rows: 60 });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    expect(plain.writes.join('').replaceAll(/\u001b\[(J|\d+A)/g, '')).not.toMatch(/\u001b/);
    const dumb = await terminal(told, { env: { TERM: 'dumb' } });
    expect(dumb.writes.join('')).not.toContain('\r');
    expect(dumb.writes.join('')).not.toContain('\u001b');
  });

  test('counts branches where a block has several, and rows as their share', async () => {
    const pairs = { ...model, sites: model.sites.map((site, i) => ({ ...site, layer: i >> 1 })) };
    const told = [...eventsOf(small, pairs)].map(
      (event): TrainEvent => (event.kind === 'batch-end' ? { ...event, active: 2.34 } : event),
    );
    expect((await lines(told))[0]).toContain('of 4 branches active');
    const { writes } = await terminal(told);
    expect(stripVTControlCharacters(writes.join(''))).toContain('branches 2.3/4');
  });

  test('writes no status line that is wider than the terminal, and keeps what matters', () => {
    let standing = atRest;
    for (const event of events()) if (event.at.batch < 8) standing = advance(standing, event);
    for (let width = 1; width < 200; width++) {
      for (const colour of [false, true]) {
        const line = stripVTControlCharacters(statusLine(standing, { width, colour, unicode: true }));
        expect(line.length).toBeLessThanOrEqual(width);
      }
    }
    const at = (width: number): string => statusLine(standing, { width, colour: false, unicode: false });
    expect(at(60)).toMatch(/^epoch 2\/3 .*#+-+ .* % .*ETA/);
    expect(at(60)).not.toContain('blocks');
    expect(at(140)).toMatch(/batch 7\/15 .*loss .*acc .*lr .*ms\/step .*blocks .\/4 .*ETA/);
  });

  test('shows a loss that is not a number, and a run without a known length', async () => {
    const told = events({ diverges: 0 }).map(
      (event): TrainEvent => (event.kind === 'fit-start' ? { ...event, totalBatches: null, totalEpochs: null } : event),
    );
    const { writes } = await terminal(told, { stepMs: 200, rows: 60 });
    const text = stripVTControlCharacters(writes.join(''));
    expect(text).toContain('loss not a number');
    expect(text).toMatch(/epoch 2 {2}/);
    expect(text).toContain('epoch 1, batch 5: validation');
    expect((await terminal(told, { columns: 0 })).writes.join('')).toContain('ETA');
  });
});
