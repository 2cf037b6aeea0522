import { axisX, axisY, barX, text } from '@observablehq/plot';
import type { EfficiencyReport } from '../../metrics/index.js';
import { grouped, percent, significant, span } from '../format.js';
import type { Figure } from './figure.js';
import type { History } from './history.js';
import { type Content, html } from './html.js';

interface Part {
  readonly name: string;
  readonly colour: string;
  readonly of: (report: EfficiencyReport) => number;
}

const parts: readonly Part[] = [
  { name: 'training steps', colour: 'var(--run-0)', of: ({ trainMs }) => trainMs },
  { name: 'waiting for data', colour: 'var(--run-1)', of: ({ dataWaitMs }) => dataWaitMs },
  { name: 'evaluation', colour: 'var(--run-2)', of: ({ evaluationMs }) => evaluationMs },
  { name: 'done again after a resume', colour: 'var(--bad)', of: ({ retriedMs }) => retriedMs },
  { name: 'other', colour: 'var(--line-strong)', of: ({ otherMs }) => otherMs },
];

/** What is less than that of every run cannot be seen. */
const LEAST_SHARE = 0.0005;

/** Where the time of each run went, as one bar. */
export function spendingFigure(histories: readonly History[]): Figure {
  const spent = histories.filter(({ summary }) => summary.efficiency.elapsedMs > 0);
  const used = parts.filter(({ of }) =>
    spent.some(({ summary: { efficiency } }) => of(efficiency) > LEAST_SHARE * efficiency.elapsedMs),
  );
  const rows = spent.flatMap(({ label, summary: { efficiency } }, run) => {
    let from = 0;
    return used.map(({ name, colour, of }) => {
      const ms = of(efficiency);
      const share = (100 * ms) / efficiency.elapsedMs;
      const row = { run: String(run), label, name, colour, from, to: from + share, share, ms };
      from += share;
      return row;
    });
  });
  const labels = new Map(spent.map(({ label }, run) => [String(run), label]));
  const longest = Math.max(0, ...[...labels.values()].map((label) => label.length));
  return {
    id: 'spending',
    title: 'Where the time went',
    description: 'shares of the wall clock in training steps, waiting for data, evaluation and other things',
    full: true,
    height: 76 + 34 * Math.max(1, spent.length),
    legend: used.map(({ name, colour }) => ({ label: name, colour, shape: 'block' as const })),
    caption: spent.map((history) => costLine(history, spent.length > 1)),
    draw:
      spent.length === 0
        ? null
        : ({ narrow }) => ({
            marginLeft: spent.length === 1 ? 14 : Math.min(narrow ? 110 : 200, 12 + 7 * longest),
            marginTop: 8,
            x: { domain: [0, 100] },
            y: { type: 'band', padding: 0.28, axis: null },
            marks: [
              axisX({
                label: '% of the time',
                labelAnchor: 'center',
                labelArrow: 'none',
                labelOffset: 36,
                tickSize: 0,
                tickPadding: 8,
                ticks: 5,
                color: 'var(--muted)',
              }),
              ...(spent.length === 1
                ? []
                : [
                    axisY({
                      label: null,
                      tickSize: 0,
                      color: 'var(--muted)',
                      tickFormat: (run: string) => shortened(labels.get(run) ?? '', narrow ? 14 : 28),
                    }),
                  ]),
              barX(rows, {
                x1: 'from',
                x2: 'to',
                y: 'run',
                fill: 'colour',
                title: ({ label, name, share, ms }: (typeof rows)[number]) =>
                  `${label}, ${name}: ${span(ms)}, ${share.toFixed(1)} %`,
              }),
              text(
                rows.filter(({ share }) => share >= (narrow ? 14 : 6)),
                {
                  x: ({ from, to }: (typeof rows)[number]) => (from + to) / 2,
                  y: 'run',
                  text: ({ share }: (typeof rows)[number]) => `${share.toFixed(0)} %`,
                  fill: 'var(--on-bar)',
                  fontWeight: 600,
                },
              ),
            ],
          }),
    empty: 'No training step yet.',
  };
}

function costLine({ label, summary: { efficiency } }: History, several: boolean): Content {
  const { deviceHours, devices, samples, samplesPerSecond, dataWaitShare, retriedMs } = efficiency;
  const facts = [
    `${significant(deviceHours)} device-hours on ${devices === 1 ? 'one device' : `${grouped(devices)} devices`}`,
    `${grouped(samples)} samples`,
    ...(samplesPerSecond === null ? [] : [`${significant(samplesPerSecond)} a second in training`]),
    ...(dataWaitShare === null ? [] : [`${percent(dataWaitShare)} of that time waiting for data`]),
    ...(retriedMs > 0 ? [`${span(retriedMs)} done again after a resume`] : []),
  ];
  return html`<span class="line">${several && `${label}: `}${facts.join(', ')}.</span>`;
}

function shortened(label: string, most: number): string {
  return label.length > most ? `${label.slice(0, most - 1)}…` : label;
}
