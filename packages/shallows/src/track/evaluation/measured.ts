import type {
  BeforeAndAfter,
  CalibrationReport,
  ClasswiseCalibration,
  Comparison,
  Cut,
  ErrorAgainstChance,
  Metrics,
  ScoreAgainstChance,
  TemperatureRefusal,
  UncertaintyQuality,
} from '../../metrics/index.js';
import type { Evaluation } from '../../train/events.js';

/** What an evaluation was asked for. */
export interface EvaluationOptions {
  /** Random passes of each row, T; null without them. */
  readonly passes: number | null;
  /** What their masks follow from; null without them. */
  readonly seed: number | null;
  readonly calibrate: boolean;
  /** What was left out: names of sites, how many sites run, the share of the blocks that stays; null where not asked for. */
  readonly skip: readonly string[];
  readonly exitAfter: number | null;
  readonly pruneTo: number | null;
}

/** A statistic of each row, over the rows. */
export interface RowSummary {
  readonly mean: number;
  /** Monte-Carlo standard error of the mean: how far it would move with another T passes, √(Σ standard error²) / rows. */
  readonly meanError: number;
  /** The middle of the rows. */
  readonly median: number;
  /** The middle of the rows' own Monte-Carlo standard errors. */
  readonly rowError: number;
}

/** How well an uncertainty ranks the rows by their errors. */
export interface UncertaintyRanking
  extends Pick<UncertaintyQuality, 'count' | 'wrong' | 'spearman' | 'auroc' | 'verdict'> {
  /** Which uncertainty: `predictive entropy`. */
  readonly name: string;
  readonly aurc: number;
  readonly eAurc: number;
  readonly augrc: number;
  /** The most rows that can be answered with at most 5 % of them wrong; null where none, and for errors that are not 0 or 1. */
  readonly coverageAtRisk: Cut | null;
  /** Points of the risk-coverage curve by rising coverage, thinned out. */
  readonly curve: readonly { readonly coverage: number; readonly risk: number }[];
}

/** Rows whose uncertainty lies in one bin. */
export interface HistogramBin {
  readonly from: number;
  readonly to: number;
  readonly right: number;
  readonly wrong: number;
}

/** A row that a model is least sure of. */
export interface UncertainRow {
  /** Its number in the validation set. */
  readonly row: number;
  readonly target: string;
  readonly prediction: string;
  /** Mean probability of the prediction. */
  readonly confidence: number;
  readonly entropy: number;
  readonly mutualInformation: number;
  /** The picture as a data URL; null where the row is none. */
  readonly picture: string | null;
}

/** How passes were run. */
export interface PassesRun {
  /** The first random place: all before it ran once a batch; null where it could not be told. */
  readonly split: string | null;
  /** Passes that ran together in the largest call. */
  readonly together: number;
  /** Why passes ran one by one, where they did. */
  readonly why: string | null;
}

/** What random passes say of a classifier. */
export interface ClassificationPasses {
  readonly task: 'classification';
  readonly rows: number;
  /** Of the mean prediction. */
  readonly metrics: Metrics;
  readonly predictiveEntropy: RowSummary;
  readonly expectedEntropy: RowSummary;
  readonly mutualInformation: RowSummary;
  readonly variationRatio: RowSummary;
  /** Each against the errors of the mean prediction. */
  readonly rankings: readonly UncertaintyRanking[];
  /** 1 − the highest probability of the plain model, against the plain model's errors. */
  readonly baseline: UncertaintyRanking;
  /** Area under the ROC curve of the mean prediction's errors: predictive entropy − the baseline; null where all rows are right or wrong. */
  readonly againstBaseline: Pick<Comparison, 'candidate' | 'baseline' | 'difference' | 'bca' | 'verdict'> | null;
  readonly entropyHistogram: readonly HistogramBin[];
  readonly mostUncertain: readonly UncertainRow[];
  readonly run: PassesRun;
}

/** Whether intervals held the share of the targets that they promise. */
export interface CoverageRow {
  /** What their width comes from: `passes`, or `passes and noise`. */
  readonly from: string;
  readonly level: number;
  readonly coverage: number;
  readonly interval: readonly [lower: number, upper: number];
  readonly width: number;
  readonly verdict: 'as promised' | 'too narrow' | 'too wide' | 'not enough data';
}

/** What random passes say of a regression model. */
export interface RegressionPasses {
  readonly task: 'regression';
  readonly rows: number;
  /** Of the mean prediction. */
  readonly metrics: Metrics;
  /** Variance between the passes. */
  readonly epistemic: RowSummary;
  /** Variance of the noise: mean squared error of the plain model on training rows. */
  readonly noise: number;
  readonly coverage: readonly CoverageRow[];
  /** Standard deviation between the passes against the absolute errors of the mean prediction. */
  readonly rankings: readonly UncertaintyRanking[];
  readonly run: PassesRun;
}

/** A temperature that was fitted on one half of the rows, and what it does to the other. */
export interface HalfFit {
  /** Rows of the half that was fitted. */
  readonly fitted: number;
  readonly temperature: number;
  readonly refusal: TemperatureRefusal | null;
  readonly standardError: number | null;
  readonly pValue: number | null;
  /** On the other half; null where the fit was refused. */
  readonly other: {
    readonly rows: number;
    readonly nll: BeforeAndAfter;
    readonly ece: BeforeAndAfter;
    /** With the temperature. */
    readonly verdict: CalibrationReport['verdict'];
  } | null;
}

/** How calibrated the probabilities of one kind of prediction are. */
export interface CalibrationMeasures {
  /** Which prediction: `plain`, or `mean of the passes`. */
  readonly name: string;
  /** Over 15 bins of equal width. */
  readonly equalWidth: CalibrationReport;
  /** Over 15 bins of equally many rows. */
  readonly equalMass: CalibrationReport;
  readonly classwise: Pick<ClasswiseCalibration, keyof ErrorAgainstChance>;
  readonly nll: ScoreAgainstChance;
  readonly brier: ScoreAgainstChance;
  readonly temperature: HalfFit;
}

/** What an evaluation left out. */
export interface SkippedDepth {
  /** Names of the sites, in forward order. */
  readonly skipped: readonly string[];
  /** Sites that ran. */
  readonly active: number;
  /** Share of the forward FLOPs of the whole model. */
  readonly workSaved: number;
}

/** An evaluation of a run's model after training: the contents of `evaluation.json`. */
export interface StoredEvaluation {
  readonly schema: 1;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly options: EvaluationOptions;
  /** SHA-256 of the file of the weights. */
  readonly modelDigest: string;
  readonly metrics: Evaluation;
  readonly depth: SkippedDepth | null;
  readonly passes: ClassificationPasses | RegressionPasses | null;
  /** Of the plain prediction, then of the mean of the passes where there are any; null where not asked for. */
  readonly calibration: readonly CalibrationMeasures[] | null;
}
