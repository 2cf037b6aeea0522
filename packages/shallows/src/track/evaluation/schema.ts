import { z } from 'zod';
import type {
  BeforeAndAfter,
  CalibrationReport,
  Cut,
  ErrorAgainstChance,
  ScoreAgainstChance,
} from '../../metrics/index.js';
import { count, number } from '../lossless-json.js';
import { evaluation, metrics, oneOf } from '../shapes.js';
import type {
  CalibrationMeasures,
  ClassificationPasses,
  CoverageRow,
  EvaluationOptions,
  HalfFit,
  RegressionPasses,
  RowSummary,
  StoredEvaluation,
  UncertaintyRanking,
} from './measured.js';

const summary: z.ZodType<RowSummary> = z.object({ mean: number, meanError: number, median: number, rowError: number });
const bounded = z.object({ value: number, lower: number });
const cut: z.ZodType<Cut> = z.object({ coverage: number, risk: number, threshold: number });
const pair = z.tuple([number, number]);
const beforeAndAfter: z.ZodType<BeforeAndAfter> = z.object({ before: number, after: number });

const ranking: z.ZodType<UncertaintyRanking> = z.object({
  name: z.string(),
  count,
  wrong: count,
  spearman: bounded,
  auroc: bounded.nullable(),
  verdict: oneOf<UncertaintyRanking['verdict']>({
    useful: 1,
    weak: 1,
    'no better than chance': 1,
    'not enough data': 1,
  }),
  aurc: number,
  eAurc: number,
  augrc: number,
  coverageAtRisk: cut.nullable(),
  curve: z.array(z.object({ coverage: number, risk: number })),
});

const run = z.object({ split: z.string().nullable(), together: count, why: z.string().nullable() });

const classification: z.ZodType<ClassificationPasses> = z.object({
  task: z.literal('classification'),
  rows: count,
  metrics,
  predictiveEntropy: summary,
  expectedEntropy: summary,
  mutualInformation: summary,
  variationRatio: summary,
  rankings: z.array(ranking),
  baseline: ranking,
  againstBaseline: z
    .object({
      candidate: number,
      baseline: number,
      difference: number,
      bca: pair,
      verdict: oneOf<NonNullable<ClassificationPasses['againstBaseline']>['verdict']>({
        better: 1,
        'non-inferior': 1,
        worse: 1,
        'not enough data': 1,
      }),
    })
    .nullable(),
  entropyHistogram: z.array(z.object({ from: number, to: number, right: count, wrong: count })),
  mostUncertain: z.array(
    z.object({
      row: count,
      target: z.string(),
      prediction: z.string(),
      confidence: number,
      entropy: number,
      mutualInformation: number,
      picture: z
        .string()
        .regex(/^data:image\/png;base64,[A-Za-z0-9+/=]+$/, { error: 'expected a PNG as a data URL' })
        .nullable(),
    }),
  ),
  run,
});

const coverageRow: z.ZodType<CoverageRow> = z.object({
  from: z.string(),
  level: number,
  coverage: number,
  interval: pair,
  width: number,
  verdict: oneOf<CoverageRow['verdict']>({ 'as promised': 1, 'too narrow': 1, 'too wide': 1, 'not enough data': 1 }),
});

const regression: z.ZodType<RegressionPasses> = z.object({
  task: z.literal('regression'),
  rows: count,
  metrics,
  epistemic: summary,
  noise: number,
  coverage: z.array(coverageRow),
  rankings: z.array(ranking),
  run,
});

const chanceShape = { value: number, chance: number, chanceUpper: number, corrected: number, pValue: number };
const againstChance: z.ZodType<ErrorAgainstChance> = z.object(chanceShape);
const calibrationVerdict = oneOf<CalibrationReport['verdict']>({
  calibrated: 1,
  miscalibrated: 1,
  'not enough data': 1,
});

const report: z.ZodType<CalibrationReport> = z.object({
  count,
  accuracy: number,
  confidence: number,
  ece: againstChance,
  mce: againstChance,
  rmsce: againstChance,
  overconfidence: number,
  verdict: calibrationVerdict,
  pValue: number,
  bins: z.array(
    z.object({
      from: number,
      to: number,
      count,
      confidence: number,
      accuracy: number.nullable(),
      chance: pair.nullable(),
    }),
  ),
});

const score: z.ZodType<ScoreAgainstChance> = z.object({
  value: number,
  standardError: number,
  expected: number,
  z: number.nullable(),
  pValue: number.nullable(),
});

const halfFit: z.ZodType<HalfFit> = z.object({
  fitted: count,
  temperature: number,
  refusal: oneOf<NonNullable<HalfFit['refusal']>>({
    'too few rows': 1,
    'all right': 1,
    'all wrong': 1,
    'at a bound': 1,
    'no gain on held-out rows': 1,
  }).nullable(),
  standardError: number.nullable(),
  pValue: number.nullable(),
  other: z.object({ rows: count, nll: beforeAndAfter, ece: beforeAndAfter, verdict: calibrationVerdict }).nullable(),
});

const calibration: z.ZodType<CalibrationMeasures> = z.object({
  name: z.string(),
  equalWidth: report,
  equalMass: report,
  classwise: againstChance,
  nll: score,
  brier: score,
  temperature: halfFit,
});

const options: z.ZodType<EvaluationOptions> = z.object({
  passes: count.nullable(),
  seed: count.nullable(),
  calibrate: z.boolean(),
  skip: z.array(z.string()),
  exitAfter: count.nullable(),
  pruneTo: number.nullable(),
});

/** Schema of `evaluation.json`. Keys that it does not know are left out. */
export const storedEvaluation: z.ZodType<StoredEvaluation> = z.object({
  schema: z.literal(1, { error: 'expected schema 1, as this version of shallows writes it' }),
  time: z.iso.datetime({ error: 'expected a time such as 2026-01-05T10:15:00.000Z' }),
  options,
  modelDigest: z.string().regex(/^[0-9a-f]{64}$/, { error: 'expected 64 hexadecimal digits' }),
  metrics: evaluation,
  depth: z.object({ skipped: z.array(z.string()), active: count, workSaved: number }).nullable(),
  passes: z.union([classification, regression]).nullable(),
  calibration: z.array(calibration).nullable(),
});
