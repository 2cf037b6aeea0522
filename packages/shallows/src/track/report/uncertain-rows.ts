import type { UncertainRow } from '../evaluation/measured.js';
import { grouped, percent, significant } from '../format.js';
import type { History } from './history.js';
import { type Html, html, trusted } from './html.js';

/** The rows that runs are least sure of, as pictures where they are some. */
export function uncertainRows(histories: readonly History[]): Html[] {
  return histories.flatMap(({ label, run: { evaluation } }, i) => {
    const passes = evaluation?.passes ?? null;
    if (passes?.task !== 'classification' || passes.mostUncertain.length === 0) return [];
    return [
      html`<figure id="uncertain${i === 0 ? '' : `-${String(i + 1)}`}" class="card full">
<h3>${histories.length > 1 ? `Most uncertain rows, ${label}` : 'Most uncertain rows'}</h3>
<ul class="uncertain">${passes.mostUncertain.map(rowItem)}</ul>
<figcaption>Validation rows of the highest predictive entropy: what they are, and what the mean of the passes says with which probability.</figcaption>
</figure>
`,
    ];
  });
}

function rowItem({ row, target, prediction, confidence, entropy, mutualInformation, picture }: UncertainRow): Html {
  const wrong = target !== prediction;
  const facts = `row ${grouped(row)}: entropy ${significant(entropy)}, mutual information ${significant(mutualInformation)}`;
  return html`<li title="${facts}">${picture !== null && html`<img src="${picture}" alt="Row ${grouped(row)}, ${target}">`}<b>${target}</b><span${wrong ? trusted(' class="wrong"') : ''}>${prediction} ${percent(confidence, 0)}</span>${picture === null && html`<small>${facts}</small>`}</li>
`;
}
