import { dot, line, rectY, ruleY } from '@observablehq/plot';
import type {
  ClassificationPasses,
  CoverageRow,
  RegressionPasses,
  UncertaintyRanking,
} from '../evaluation/measured.js';
import { grouped, percent, significant } from '../format.js';
import { axes } from './axes.js';
import type { Figure } from './figure.js';
import type { History } from './history.js';
import { html } from './html.js';

const RISK = 0.05;

interface Of<T> {
  readonly label: string;
  readonly colour: string;
  readonly passes: T;
}

/** What random passes found, for the runs that were evaluated with them: risk and coverage, entropies, intervals. */
export function uncertaintyFigures(histories: readonly History[]): Figure[] {
  const named = histories.length > 1;
  const classified: Of<ClassificationPasses>[] = [];
  const regressed: Of<RegressionPasses>[] = [];
  for (const { label, colour, run } of histories) {
    const passes = run.evaluation?.passes ?? null;
    if (passes?.task === 'classification') classified.push({ label, colour, passes });
    if (passes?.task === 'regression') regressed.push({ label, colour, passes });
  }
  return [
    ...(classified.length === 0 ? [] : [riskFigure(classified, named)]),
    ...classified.map((each, i) => entropyFigure(each, { index: i, named })),
    ...regressed.map((each, i) => coverageFigure(each, { index: i, named })),
  ];
}

function riskFigure(classified: readonly Of<ClassificationPasses>[], named: boolean): Figure {
  const best = ({ rankings }: ClassificationPasses): UncertaintyRanking | undefined => rankings[0];
  const curves = classified.flatMap(({ label, colour, passes }) => [
    ...(best(passes)?.curve ?? []).map((point) => ({ ...point, colour, dash: false, label, key: label })),
    ...passes.baseline.curve.map((point) => ({ ...point, colour, dash: true, label, key: `${label} plain` })),
  ]);
  const paths = (dash: boolean): typeof curves => curves.filter((each) => each.dash === dash);
  return {
    id: 'risk-coverage',
    title: 'Risk and coverage',
    description: 'share of wrong answers among the most certain rows, against the share of rows answered',
    legend: [
      ...classified.map(({ label, colour }) => ({ label: named ? label : 'predictive entropy', colour })),
      {
        label: 'highest probability, plain',
        colour: named ? 'var(--muted)' : (classified[0]?.colour ?? ''),
        shape: 'dashed',
      },
      { label: `${percent(RISK, 0)} risk`, colour: 'var(--good)', shape: 'dashed' },
    ],
    caption: [
      'Answer the rows of least uncertainty, and hand over the rest. ',
      classified.map(
        ({ label, passes }) => html`<span class="line">${named && `${label}: `}${riskLine(passes)}</span>`,
      ),
    ],
    draw: () => ({
      x: { domain: [0, 1] },
      y: { zero: true, nice: true },
      marks: [
        ...axes({ x: 'coverage', y: 'risk', yOptions: { ticks: 5 } }),
        ruleY([RISK], { stroke: 'var(--good)', strokeDasharray: '4 4' }),
        line(paths(true), { x: 'coverage', y: 'risk', z: 'key', stroke: 'colour', strokeDasharray: '5 4' }),
        line(paths(false), { x: 'coverage', y: 'risk', z: 'key', stroke: 'colour', strokeWidth: 2 }),
      ],
    }),
    empty: '',
  };
}

function riskLine({ rankings, baseline, againstBaseline }: ClassificationPasses): string {
  const [entropy] = rankings;
  const answered = (ranking: UncertaintyRanking | undefined): string =>
    ranking?.coverageAtRisk == null ? 'none' : percent(ranking.coverageAtRisk.coverage);
  const area =
    entropy?.auroc == null ? '' : ` Area under the ROC curve ${entropy.auroc.value.toFixed(3)}: ${entropy.verdict}.`;
  const against = againstBaseline === null ? '' : ` Against the plain network: ${againstBaseline.verdict}.`;
  return `At ${percent(RISK, 0)} risk ${answered(entropy)} of the rows are answered, ${answered(baseline)} by the plain network.${area}${against}`;
}

function entropyFigure(
  { label, passes }: Of<ClassificationPasses>,
  { index, named }: { readonly index: number; readonly named: boolean },
): Figure {
  const rows = passes.entropyHistogram.flatMap(({ from, to, right, wrong }) => [
    { from, to, low: 0, high: right, colour: 'var(--good)', count: right, word: 'right' },
    { from, to, low: right, high: right + wrong, colour: 'var(--bad)', count: wrong, word: 'wrong' },
  ]);
  const { predictiveEntropy, mutualInformation } = passes;
  return {
    id: index === 0 ? 'entropy' : `entropy-${String(index + 1)}`,
    title: named ? `Predictive entropy, ${label}` : 'Predictive entropy',
    description: 'how many right and wrong rows have which predictive entropy, in nats',
    legend: [
      { label: 'right', colour: 'var(--good)', shape: 'block' },
      { label: 'wrong', colour: 'var(--bad)', shape: 'block' },
    ],
    caption: `Mean ${significant(predictiveEntropy.mean)} nats, of which ${significant(mutualInformation.mean)} ± ${significant(mutualInformation.meanError, 2)} is disagreement between the passes.`,
    draw: () => ({
      y: { nice: true },
      marks: [
        ...axes({ x: 'nats', y: 'rows', yOptions: { ticks: 5 } }),
        rectY(
          rows.filter(({ count }) => count > 0),
          {
            x1: 'from',
            x2: 'to',
            y1: 'low',
            y2: 'high',
            fill: 'colour',
            insetLeft: 1,
            title: ({ from, to, count, word }: (typeof rows)[number]) =>
              `${grouped(count)} ${word} from ${significant(from)} to ${significant(to)} nats`,
          },
        ),
      ],
    }),
    empty: '',
  };
}

function coverageFigure(
  { label, colour, passes }: Of<RegressionPasses>,
  { index, named }: { readonly index: number; readonly named: boolean },
): Figure {
  const sources = [...new Set(passes.coverage.map(({ from }) => from))];
  const colourOf = ({ from }: CoverageRow): string => (from === sources.at(-1) ? colour : 'var(--muted)');
  return {
    id: index === 0 ? 'coverage' : `coverage-${String(index + 1)}`,
    title: named ? `Coverage of intervals, ${label}` : 'Coverage of intervals',
    description: 'share of targets inside their intervals against the share that was promised',
    legend: sources.map((from, i) => ({
      label: `width from ${from}`,
      colour: i === sources.length - 1 ? colour : 'var(--muted)',
      shape: 'dot' as const,
    })),
    caption: passes.coverage
      .filter(({ level }) => level === 0.9)
      .map(({ from, coverage, verdict }) => `From ${from}, 90 % intervals held ${percent(coverage)}: ${verdict}. `),
    draw: () => ({
      x: { domain: [0.4, 1] },
      y: { domain: [0, 1] },
      marks: [
        ...axes({ x: 'promised', y: 'held', yOptions: { ticks: 5 } }),
        line(
          [
            [0.4, 0.4],
            [1, 1],
          ],
          { stroke: 'var(--muted)', strokeDasharray: '4 4' },
        ),
        line(passes.coverage, { x: 'level', y: 'coverage', z: 'from', stroke: colourOf, strokeWidth: 1.5 }),
        dot(passes.coverage, { x: 'level', y: 'coverage', fill: colourOf, r: 3 }),
      ],
    }),
    empty: '',
  };
}
