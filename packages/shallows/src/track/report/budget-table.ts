import type { RegularizationBudget } from '../../train/index.js';
import type { History } from './history.js';
import { type Html, html } from './html.js';

/** What holds each network back, its sum beside that of the nearest published recipe, and what to think of it. */
export function budgetTables(histories: readonly History[]): Html {
  const several = histories.length > 1;
  const cards = histories.map((history) => budgetCard(history, several));
  return several ? html`<div class="grid">${cards}</div>` : html`${cards}`;
}

function budgetCard({ label, colour, run: { record } }: History, several: boolean): Html | null {
  const { regularization: budget } = record;
  if (budget === null) return null;
  return html`<div class="card budget">
${several && html`<h3><i class="key dot" style="color:${colour}"></i>${label}</h3>`}
${budget.rows.length === 0 ? html`<p>Nothing holds this network back.</p>` : table(budget)}
${budget.advice.map(
  ({ severity, message, source }) =>
    html`<p>${severity === 'warning' && html`<strong>Warning:</strong> `}${message} <small>(${source})</small></p>\n`,
)}</div>
`;
}

function table({ rows, total, published }: RegularizationBudget): Html {
  return html`<div class="scroll"><table>
<thead><tr><th scope="col">regularizer</th><th scope="col">set to</th><th scope="col">full measures</th><th scope="col">a full measure</th></tr></thead>
<tbody>
${rows.map(
  ({ name, setting, measures, full }) =>
    html`<tr><th scope="row">${name}</th><td>${setting}</td><td>${measures.toFixed(2)}</td><td>${full}</td></tr>\n`,
)}<tr><th scope="row">sum</th><td></td><td><strong>${total.toFixed(2)}</strong></td><td></td></tr>
${
  published !== null &&
  html`<tr><th scope="row">${published.name}</th><td>published</td><td>${published.total.toFixed(2)}</td><td>${published.source}</td></tr>`
}
</tbody></table></div>`;
}
