import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { deviationFromLine } from './order.js';
import { StabilityMeter, type StabilityReport } from './stability.js';

interface Fixture {
  readonly stability: readonly {
    readonly losses: readonly number[];
    readonly std: number;
    readonly meanStd: number | null;
    readonly trend: number;
    readonly bestTrend: number;
    readonly spikes: readonly (readonly [at: number, limit: number])[];
  }[];
  readonly epochs: readonly { readonly losses: readonly number[]; readonly std: number }[];
}

const fixture: Fixture = JSON.parse(readFileSync(new URL('fixtures/training.json', import.meta.url), 'utf8'));

function measured(losses: readonly number[]): StabilityReport {
  const meter = new StabilityMeter();
  for (const [batch, loss] of losses.entries()) meter.add({ batch, loss });
  return meter.report();
}

describe('StabilityMeter', () => {
  test.each(fixture.stability)('as NumPy takes it over the whole series, trend $trend', (wanted) => {
    const got = measured(wanted.losses);
    expect(got.readings).toBe(wanted.losses.length);
    expect(got.std).toBeAllclose(wanted.std, { rtol: 1e-9 });
    if (wanted.meanStd === null) expect(got.meanStd).toBeNull();
    else expect(got.meanStd).toBeAllclose(wanted.meanStd, { rtol: 1e-9 });
    expect(got.trend).toBeAllclose(wanted.trend, { rtol: 1e-9 });
    expect(got.bestTrend).toBeAllclose(wanted.bestTrend, { rtol: 1e-9 });
    expect(got.spikesAt.map(({ batch }) => batch)).toEqual(wanted.spikes.map(([batch]) => batch));
    expect(got.spikesAt.map(({ limit }) => limit)).toBeAllclose(
      wanted.spikes.map(([, limit]) => limit),
      { rtol: 1e-9 },
    );
    expect(got.spikes).toBe(wanted.spikes.length);
    expect(got.divergence).toBeNull();
  });

  test('the fixture holds spikes, and series without', () => {
    expect(fixture.stability.map(({ spikes }) => spikes.map(([at]) => at))).toEqual([[120, 300, 301], [30], []]);
  });

  test.each(fixture.epochs)('epochs around their line: $losses', ({ losses, std }) => {
    const meter = new StabilityMeter();
    for (const loss of losses) meter.addEpoch(loss);
    expect(meter.report().epochStd).toBeAllclose(std, { rtol: 1e-9 });
    expect(deviationFromLine(losses)).toBeAllclose(std, { rtol: 1e-9 });
  });

  test('takes the last five epochs, and none of fewer than three', () => {
    const meter = new StabilityMeter();
    meter.addEpoch(1);
    meter.addEpoch(5);
    expect(meter.report().epochStd).toBeNull();
    for (const loss of [100, 5, 4, 3, 2, 1]) meter.addEpoch(loss);
    expect(meter.report().epochStd).toBeAllclose(0, { atol: 1e-12 });
    meter.addEpoch(Number.NaN);
    expect(meter.report().epochStd).toBeAllclose(0, { atol: 1e-12 });
  });

  test('says nothing before ten readings', () => {
    expect(measured([1, 1, 1, 1, 1, 1, 1, 1, 1, 90])).toMatchObject({ std: null, spikes: 0, divergence: null });
    // Eleven equal ones, then one that is a thousandth and a bit above them.
    const equal = Array.from({ length: 11 }, () => 1);
    expect(measured([...equal, 1.0009]).spikes).toBe(0);
    const [spike] = measured([...equal, 1.0011]).spikesAt;
    expect(spike).toMatchObject({ batch: 11, loss: 1.0011 });
    expect(spike?.limit).toBeCloseTo(1.001, 12);
  });

  test('a loss that is not finite is a divergence, and enters nothing else', () => {
    const steady = Array.from({ length: 60 }, (_, i) => 1 + 0.01 * (i % 7));
    const lost = measured([...steady.slice(0, 30), Number.NaN, Number.POSITIVE_INFINITY, ...steady.slice(30)]);
    expect(lost.divergence).toEqual({ batch: 30, why: 'non-finite' });
    expect(lost.nonFinite).toBe(2);
    const { divergence, nonFinite, ...rest } = measured(steady);
    expect(lost).toMatchObject(rest);
    expect([divergence, nonFinite]).toEqual([null, 0]);
  });

  test('a trend of more than three times its best is a divergence', () => {
    const rising = [...Array.from({ length: 100 }, () => 1), ...Array.from({ length: 300 }, () => 4)];
    const { divergence, bestTrend } = measured(rising);
    // Of k fours after a hundred ones the weight (1 − 0.98ᵏ) / (1 − 0.98¹⁰⁰⁺ᵏ) is above 2/3 from k = 50 on.
    expect(divergence).toEqual({ batch: 149, why: 'rising' });
    expect(bestTrend).toBeCloseTo(1, 12);
    expect(measured(rising.map((loss) => loss - 2)).divergence).toBeNull();
  });

  test('keeps the norms of gradients that were read back', () => {
    const meter = new StabilityMeter();
    for (const norm of [1, 3, Number.NaN, 2]) meter.addGradNorm(norm);
    expect(meter.report().gradNorm).toEqual({ mean: 2, largest: 3 });
    expect(measured([1]).gradNorm).toBeNull();
  });

  test('goes on from its state as if nothing had been between, at every reading', () => {
    const { losses } = fixture.stability[0] ?? { losses: [] };
    const feed = (meter: StabilityMeter, from: number, to: number): void => {
      for (const [i, loss] of losses.slice(from, to).entries()) {
        meter.add({ batch: from + i, loss });
        meter.addGradNorm(2 * loss);
        if ((from + i) % 50 === 0) meter.addEpoch(loss);
      }
    };
    const whole = new StabilityMeter();
    feed(whole, 0, losses.length);
    for (let cut = 0; cut < losses.length; cut += 37) {
      const before = new StabilityMeter();
      feed(before, 0, cut);
      const after = new StabilityMeter();
      after.load(JSON.parse(JSON.stringify(before.state())) as ReturnType<typeof before.state>);
      feed(after, cut, losses.length);
      expect(after.report()).toEqual(whole.report());
    }
    expect(JSON.stringify(whole.state()).length).toBeLessThan(4000);
  });

  test('remembers a hundred spikes and counts them all', () => {
    const jumps = Array.from({ length: 3000 }, (_, i) => (i % 20 === 19 ? 100 : 1 + 0.001 * (i % 3)));
    const { spikes, spikesAt, spikesPerThousand } = measured(jumps);
    expect(spikes).toBe(150);
    expect(spikesAt).toHaveLength(100);
    expect(spikesPerThousand).toBe(50);
  });

  test.each([
    [{ window: 9 }, 'expected a window of 10 or more, got 9'],
    [{ decay: 1 }, 'expected a decay in [0, 1), got 1'],
    [{ sigmas: 0 }, 'expected sigmas above 0, got 0'],
    [{ diverged: Number.NaN }, 'expected a factor of divergence above 1, got NaN'],
  ])('refuses %j', (options, message) => {
    expect(() => new StabilityMeter(options)).toThrow(message);
  });
});
