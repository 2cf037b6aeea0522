import {
  type BeforeAndAfter,
  CalibrationBins,
  type CalibrationReport,
  classwiseCalibration,
  equalMassCalibration,
  fitTemperature,
  ProbabilityScores,
  topLabel,
} from '../../metrics/index.js';
import { deriveKey, permutation, rootKey } from '../../random/index.js';
import type { CalibrationMeasures, HalfFit } from '../../track/index.js';
import { probabilitiesOf } from './classify.js';

interface LabelledLogits {
  readonly logits: Float64Array;
  readonly classes: number;
  readonly targets: Int32Array;
}

/** The calibration of softmax(logits), and what a temperature fitted on one half of the rows does to the other half. */
export function calibrate(name: string, rows: LabelledLogits): CalibrationMeasures {
  const { logits, classes, targets } = rows;
  const probabilities = probabilitiesOf(logits, classes);
  const { confidence, correct } = topLabel(probabilities, targets);
  const { value, chance, chanceUpper, corrected, pValue } = classwiseCalibration(probabilities, targets);
  const { nll, brier } = measured(rows, 1);
  return {
    name,
    equalWidth: measured(rows, 1).report,
    equalMass: equalMassCalibration(confidence, correct),
    classwise: { value, chance, chanceUpper, corrected, pValue },
    nll,
    brier,
    temperature: halfFit(rows),
  };
}

function measured({ logits, classes, targets }: LabelledLogits, temperature: number) {
  const probabilities = probabilitiesOf(
    logits.map((z) => z / temperature),
    classes,
  );
  const bins = new CalibrationBins();
  bins.add(probabilities, targets);
  const scores = new ProbabilityScores();
  scores.add(probabilities, targets);
  const { nll, brier } = scores.result();
  return { report: bins.result(), nll, brier };
}

/** The rows are halved by a fixed key, so that an evaluation gives the same numbers whenever it is done. */
function halfFit(rows: LabelledLogits): HalfFit {
  const order = permutation(deriveKey(rootKey(0), 'temperature'), rows.targets.length);
  const middle = Math.ceil(order.length / 2);
  const [fitted, rest] = [part(rows, order.subarray(0, middle)), part(rows, order.subarray(middle))];
  const table = { values: fitted.logits, rows: fitted.targets.length, columns: fitted.classes };
  const { temperature, refusal, standardError, pValue } = fitTemperature(table, fitted.targets);
  const found = { fitted: fitted.targets.length, temperature, refusal, standardError, pValue };
  if (refusal !== null) return { ...found, other: null };
  const [before, after] = [measured(rest, 1), measured(rest, temperature)];
  const both = (of: (each: { nll: { value: number }; report: CalibrationReport }) => number): BeforeAndAfter => ({
    before: of(before),
    after: of(after),
  });
  return {
    ...found,
    other: {
      rows: rest.targets.length,
      nll: both(({ nll }) => nll.value),
      ece: both(({ report }) => report.ece.value),
      verdict: after.report.verdict,
    },
  };
}

function part({ logits, classes, targets }: LabelledLogits, rows: Uint32Array): LabelledLogits {
  const taken = new Float64Array(rows.length * classes);
  for (const [i, row] of rows.entries()) taken.set(logits.subarray(row * classes, (row + 1) * classes), i * classes);
  return { logits: taken, classes, targets: Int32Array.from(rows, (row) => targets[row] ?? 0) };
}
