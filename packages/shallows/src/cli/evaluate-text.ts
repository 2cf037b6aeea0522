import type { RunEvaluation } from '../recipe/evaluate-run.js';
import type {
  CalibrationMeasures,
  ClassificationPasses,
  RegressionPasses,
  RowSummary,
  UncertaintyRanking,
} from '../track/evaluation/measured.js';
import { counted, percent, significant } from '../track/format.js';
import { metricWords } from '../track/metric-words.js';
import { alignedTable } from './table.js';

/** What random passes and calibration found, as tables and sentences; nothing where neither was asked for. */
export function evaluationText(
  { validation, passes, calibration = [] }: RunEvaluation,
  asked: { readonly passes: number; readonly seed: number } | null,
): string {
  const parts = [
    ...(passes === undefined || asked === null
      ? []
      : [
          `${String(asked.passes)} random passes of each of ${counted(passes.rows, 'row')}, seed ${String(asked.seed)}${runLine(passes.run)}\n`,
          alignedTable(metricsTable(validation, passes.metrics)),
          ...(passes.task === 'classification' ? classificationParts(passes) : regressionParts(passes)),
        ]),
    ...calibration.map(calibrationPart),
  ];
  return parts.map((part) => `\n${part}`).join('');
}

function runLine({ split, together, why }: ClassificationPasses['run']): string {
  const how = why === null ? `up to ${String(together)} passes at once` : `one by one, as ${why}`;
  return split === null ? `; ${how}` : `; all before ${split} once, then ${how}`;
}

function metricsTable(plain: RunEvaluation['validation'], mean: RunEvaluation['validation']): string[][] {
  const names = Object.keys(plain);
  const row = (title: string, metrics: RunEvaluation['validation']): string[] => [
    title,
    ...names.map((name) => metricWords(name).shown(metrics[name] ?? Number.NaN)),
  ];
  return [['', ...names.map((name) => metricWords(name).noun)], row('plain', plain), row('mean of the passes', mean)];
}

function classificationParts(passes: ClassificationPasses): string[] {
  const { predictiveEntropy, expectedEntropy, mutualInformation, variationRatio, rankings, baseline } = passes;
  const { againstBaseline } = passes;
  const rows: [string, RowSummary][] = [
    ['predictive entropy', predictiveEntropy],
    ['expected entropy', expectedEntropy],
    ['mutual information', mutualInformation],
    ['variation ratio', variationRatio],
  ];
  const against =
    againstBaseline === null
      ? 'no row is wrong, or every one is: uncertainties cannot be compared\n'
      : `predictive entropy against the plain network's highest probability: ${againstBaseline.verdict}, ` +
        `area ${signed(againstBaseline.difference)} (${signed(againstBaseline.bca[0])} to ${signed(againstBaseline.bca[1])})\n`;
  return [
    alignedTable(summaryTable(rows)),
    `${alignedTable(rankingTable([...rankings, { ...baseline, name: `${baseline.name}, plain` }]))}${against}`,
  ];
}

function regressionParts({ epistemic, noise, coverage, rankings }: RegressionPasses): string[] {
  const table = coverage.map(({ from, level, coverage: held, interval: [low, high], width, verdict }) => [
    `${percent(level, 0)} by ${from}`,
    percent(held),
    `${percent(low)} to ${percent(high)}`,
    significant(width),
    verdict,
  ]);
  return [
    alignedTable(summaryTable([['variance between passes', epistemic]])),
    `${alignedTable([['intervals', 'held', '95 %', 'mean width', 'verdict'], ...table])}` +
      `noise: variance ${significant(noise)}, the mean squared error on training rows\n`,
    alignedTable(rankingTable(rankings)),
  ];
}

function summaryTable(rows: readonly (readonly [string, RowSummary])[]): string[][] {
  return [
    ['', 'mean', '± passes', 'median row', '± passes'],
    ...rows.map(([name, { mean, meanError, median, rowError }]) => [
      name,
      ...[mean, meanError, median, rowError].map((each) => significant(each)),
    ]),
  ];
}

function rankingTable(rankings: readonly UncertaintyRanking[]): string[][] {
  const bounded = (each: UncertaintyRanking['auroc']): string =>
    each === null ? '–' : `${each.value.toFixed(3)} (> ${each.lower.toFixed(3)})`;
  return [
    ['uncertainty', 'spearman', 'AUROC', 'AURC', 'at risk 5 %', 'verdict'],
    ...rankings.map(({ name, spearman, auroc, aurc, coverageAtRisk, verdict }) => [
      name,
      bounded(spearman),
      bounded(auroc),
      significant(aurc),
      coverageAtRisk === null ? '–' : percent(coverageAtRisk.coverage),
      verdict,
    ]),
  ];
}

function calibrationPart({
  name,
  equalWidth,
  equalMass,
  classwise,
  nll,
  brier,
  temperature,
}: CalibrationMeasures): string {
  const errors = (
    [
      ['ECE, equal width', equalWidth.ece, equalWidth.verdict],
      ['ECE, equal mass', equalMass.ece, equalMass.verdict],
      ['MCE', equalWidth.mce, ''],
      ['classwise ECE', classwise, ''],
    ] as const
  ).map(([title, { value, chance, chanceUpper, corrected, pValue }, verdict]) => [
    title,
    ...[value, chance, chanceUpper, corrected].map((each) => each.toFixed(4)),
    significant(pValue),
    verdict,
  ]);
  const scores = (
    [
      ['negative log likelihood', nll],
      ['Brier score', brier],
    ] as const
  ).map(([title, { value, expected, z }]) => [
    title,
    value.toFixed(4),
    expected.toFixed(4),
    z === null ? '–' : z.toFixed(2),
  ]);
  return (
    `calibration of the ${name === 'plain' ? 'plain prediction' : name}\n` +
    alignedTable([['', 'value', 'by chance', '95 % below', 'corrected', 'p', 'verdict'], ...errors]) +
    alignedTable([['', 'value', 'if right', 'z'], ...scores]) +
    temperatureLine(temperature)
  );
}

function temperatureLine({
  fitted,
  temperature,
  refusal,
  standardError,
  other,
}: CalibrationMeasures['temperature']): string {
  if (refusal !== null || other === null) {
    return `temperature: none, refused on ${counted(fitted, 'row')}: ${refusal ?? 'no rows are left'}\n`;
  }
  const { rows, nll, ece, verdict } = other;
  const error = standardError === null ? '' : ` ± ${significant(standardError, 2)}`;
  const moved = ({ before, after }: { before: number; after: number }): string =>
    `${before.toFixed(4)} -> ${after.toFixed(4)}`;
  return (
    `temperature: ${significant(temperature)}${error} from ${counted(fitted, 'row')}; on the other ${String(rows)}: ` +
    `negative log likelihood ${moved(nll)}, ECE ${moved(ece)}, ${verdict}\n`
  );
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}
