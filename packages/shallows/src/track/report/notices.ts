import { grouped } from '../format.js';
import type { JournalLine } from '../journal/line.js';
import type { History } from './history.js';
import { type Content, type Html, html } from './html.js';

/** What a reader must know before trusting the numbers. */
export function notices(histories: readonly History[]): Content {
  return histories.map((history) => {
    const who = histories.length > 1 ? `${history.label}: ` : '';
    return sentences(history).map(
      (sentence): Html => html`<p class="notice">${who}${sentence}</p>
`,
    );
  });
}

function sentences({ depth, run: { journal }, evaluations, noun, advice, last, words }: History): string[] {
  const alarms = depth?.sites.filter(({ alarm }) => alarm).length ?? 0;
  const lost = evaluations.filter(
    ({ train, validation }) => !Number.isFinite(train.loss) || !Number.isFinite(validation.loss),
  ).length;
  const of = <K extends JournalLine['kind']>(kind: K) => journal.lines.filter((line) => line.kind === kind);
  const skipped = of('non-finite').length;
  const failed = journal.lines.filter((line) => line.kind === 'checkpoint' && line.failure !== null).length;
  const [rewinds, repairs] = [of('rewind').length, of('repaired').length];
  return [
    ...(alarms === 0
      ? []
      : [
          `${alarms === 1 ? `one ${noun.one} ran` : `${String(alarms)} ${noun.many} ran`} at a rate that chance does not explain; see the drop rates below.`,
        ]),
    ...(last?.reading.verdict === 'alert'
      ? [
          `the model overfits: a gap of ${words.size(last.reading.gap)}, more than chance explains, in three evaluations.`,
        ]
      : []),
    ...(lost === 0
      ? []
      : [`the loss was not a finite number in ${String(lost)} of ${String(evaluations.length)} evaluations.`]),
    ...(skipped === 0
      ? []
      : [`${counted(skipped, 'batch', 'batches')} gave a loss or a gradient that was not finite.`]),
    ...(failed === 0 ? [] : [`${counted(failed, 'checkpoint', 'checkpoints')} could not be saved.`]),
    ...(rewinds === 0
      ? []
      : [
          `the run was taken up again ${rewinds === 1 ? 'once' : `${grouped(rewinds)} times`}; what it did twice counts once.`,
        ]),
    ...(repairs === 0
      ? []
      : [
          `the journal was repaired ${repairs === 1 ? 'once' : `${grouped(repairs)} times`}: what could not be read lies beside it.`,
        ]),
    ...advice,
    ...(journal.torn === null ? [] : ["the journal's last line was cut off while it was written, and is left out."]),
  ];
}

function counted(count: number, one: string, many: string): string {
  return count === 1 ? `one ${one}` : `${grouped(count)} ${many}`;
}
