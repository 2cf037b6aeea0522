import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { FakeTerminal } from '../../../../../tests/support/fake-terminal.js';
import { eventsOf } from '../../../../../tests/support/synthetic-run.js';
import type { TrainEvent } from '../../train/events.js';
import { Curve } from './curve.js';
import { panelLines } from './panels.js';
import { drawCurve } from './plot.js';
import { type ProgressOptions, progressCallback } from './progress-callback.js';

const points = (...ys: number[]) => ys.map((y, x) => ({ x, y }));
const ascii = (ys: number[], columns: number, rows: number): readonly string[] | undefined =>
  drawCurve(points(...ys), { columns, rows, unicode: false })?.lines;

describe('drawCurve', () => {
  test('in ASCII, two dots a character', () => {
    expect(ascii([0, 3], 4, 2)).toEqual(["  .'", ".'  "]);
    expect(ascii([3, 0], 4, 2)).toEqual(["'.  ", "  '."]);
    expect(ascii([1, 1, 1], 4, 1)).toEqual(['....']);
    // A jump is joined.
    expect(ascii([0, 0, 9, 9], 4, 2)).toEqual(["  :'", "..' "]);
  });

  test('in Braille, eight dots a character', () => {
    // From the lower left to the upper right: four columns of dots on four rows.
    expect(drawCurve(points(0, 3), { columns: 2, rows: 1, unicode: true })).toEqual({
      lines: ['\u2860\u280a'],
      low: 0,
      high: 3,
    });
  });

  test('leaves gaps where there is no number', () => {
    expect(ascii([1, Number.NaN, Number.NaN, 1], 7, 1)).toEqual(['.     .']);
    expect(ascii([Number.NaN, 0, 1], 4, 1)?.join('')).toMatch(/^..+$/);
  });

  test('draws nothing of fewer than two numbers, and without room', () => {
    for (const ys of [[], [1], [Number.NaN, 1], [Number.NaN, Number.POSITIVE_INFINITY]])
      expect(ascii(ys, 10, 2)).toBeUndefined();
    expect(ascii([1, 2], 1, 2)).toBeUndefined();
    expect(ascii([1, 2], 10, 0)).toBeUndefined();
  });

  test('fills its room exactly, for any curve', () => {
    for (let columns = 2; columns < 30; columns++) {
      for (const unicode of [false, true]) {
        const curve = Array.from({ length: 50 }, (_, x) => ({ x, y: Math.sin(x / 3) }));
        const drawn = drawCurve(curve, { columns, rows: 4, unicode });
        expect(drawn?.lines.map((line) => line.length)).toEqual([columns, columns, columns, columns]);
        // Each column of characters shows something.
        for (let i = 0; i < columns; i++) expect(drawn?.lines.some((line) => line[i] !== ' ')).toBe(true);
      }
    }
  });
});

describe('Curve', () => {
  test('keeps means of as many numbers, in bounded room', () => {
    const curve = new Curve();
    for (let x = 0; x < 100_000; x++) curve.add(x, 2 * x);
    expect(curve.points.length).toBeLessThanOrEqual(1024);
    expect(curve.points.length).toBeGreaterThan(500);
    for (const { x, y } of curve.points) expect(y).toBeCloseTo(2 * x, 6);
    expect(curve.points[0]?.x).toBeLessThan(200);
    expect(curve.points.at(-1)?.x).toBeGreaterThan(99_700);
    curve.clear();
    expect(curve.points).toEqual([]);
  });
});

describe('panelLines', () => {
  const curves = { loss: points(2, 1, 0.5), validation: points(0.1, 0.5, 0.412), metric: 'accuracy' };
  const at = (width: number, rows = 60) => panelLines(curves, { width, rows, colour: false, unicode: true });

  test('side by side, one above the other, or the loss alone', () => {
    expect(at(120)).toHaveLength(6);
    expect(at(120)[0]).toMatch(/^ +training loss 0\.500 +validation accuracy 41\.2 %$/);
    expect(at(120)[1]).toMatch(/^ *2\.00 ┤.* 50\.0 % ┤/);
    expect(at(120)[5]).toMatch(/^0\.500 ┤.* 10\.0 % ┤/);
    expect(at(60)).toHaveLength(12);
    expect(at(60)[6]).toMatch(/^ +validation accuracy/);
    expect(at(60, 20)).toHaveLength(6);
    expect(at(60, 14)).toEqual([]);
    expect(at(30)).toEqual([]);
    expect(panelLines({ ...curves, loss: [] }, { width: 120, rows: 60, colour: false, unicode: true })[0]).toMatch(
      /^ +validation accuracy/,
    );
    expect(
      panelLines({ ...curves, loss: [], validation: points(1) }, { width: 120, rows: 60, colour: true, unicode: true }),
    ).toEqual([]);
  });

  test('never wider than it may be', () => {
    for (let width = 1; width < 220; width++)
      for (const line of at(width)) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(width);
  });
});

describe('curves while a run goes on', () => {
  const model = { name: 'net', parameters: 1, sites: [] };
  const events = [...eventsOf({ sites: 0, drop: 0, epochs: 8, perEpoch: 20 }, model)];

  async function tell(output: FakeTerminal, told: readonly TrainEvent[], options: ProgressOptions = {}) {
    let time = 0;
    const progress = progressCallback({ output, env: {}, now: () => (time += 60), ...options });
    for (const event of told) await progress.onEvent(event);
    return progress;
  }

  test('stand under the status line, and nothing is left of them', async () => {
    const output = new FakeTerminal(120, 50);
    await tell(output, events.slice(0, -3));
    const status = output.screen.findIndex((row) => row.startsWith('epoch') && row.includes('━'));
    expect(output.screen.slice(status + 1)).toHaveLength(7);
    expect(output.screen[status + 1]).toBe('');
    expect(output.screen[status + 2]).toMatch(/training loss [\d.]+ .*validation accuracy \d+\.\d %/);
    expect(output.cursorRow).toBe(status);

    const ended = new FakeTerminal(120, 50);
    await tell(ended, events);
    expect(ended.screen).toHaveLength(8);
    for (const row of ended.screen) expect(row).toMatch(/^epoch \d\/8: validation/);
    expect(ended.cursorRow).toBe(8);
  });

  test('nor where a run fails and the display is disposed', async () => {
    const output = new FakeTerminal(120, 50);
    const progress = await tell(output, events.slice(0, 100));
    expect(output.screen.join('')).toContain('training loss');
    progress[Symbol.dispose]();
    progress[Symbol.dispose]();
    for (const row of output.screen) expect(row).toMatch(/^epoch \d\/8: validation/);
  });

  test('a terminal that becomes narrower, wider, lower keeps nothing of what was drawn before', async () => {
    for (const [columns, rows] of [
      [61, 50],
      [40, 50],
      [200, 50],
      [120, 10],
    ] as const) {
      const output = new FakeTerminal(120, 50);
      let time = 0;
      const progress = progressCallback({ output, env: {}, now: () => (time += 60) });
      for (const [i, event] of events.entries()) {
        if (i === 90) [output.columns, output.rows] = [columns, rows];
        await progress.onEvent(event);
        if (i === 92) {
          // One status line, and one drawing at most.
          expect(output.screen.filter((row) => row.includes('━'))).toHaveLength(1);
          expect(output.screen.filter((row) => row.includes('training loss')).length).toBe(rows === 10 ? 0 : 1);
        }
      }
      const said = output.screen.join('').split(/(?=epoch \d\/8:)/);
      expect(said).toHaveLength(8);
    }
  });

  test('what somebody else prints in between stays, and is not drawn over', async () => {
    const output = new FakeTerminal(120, 50);
    let time = 0;
    const progress = progressCallback({ output, env: {}, now: () => (time += 60) });
    for (const [i, event] of events.entries()) {
      await progress.onEvent(event);
      if (i === 90) output.write('\nFinishing the current step and saving.\n');
    }
    expect(output.screen).toContain('Finishing the current step and saving.');
    expect(output.screen.filter((row) => row.includes('training loss'))).toEqual([]);
  });

  test('can be turned off', async () => {
    const output = new FakeTerminal(120, 50);
    await tell(output, events.slice(0, -1), { curves: false });
    expect(output.writes.join('')).not.toContain('training loss');
  });
});
