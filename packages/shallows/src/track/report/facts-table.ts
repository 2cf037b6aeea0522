import { flatten } from '../differences.js';
import { bytes, grouped } from '../format.js';
import type { NamedPart, RunRecord } from '../run-record.js';
import type { History } from './history.js';
import { type Html, html } from './html.js';

/** A name and its value in each run. */
type Fact = readonly [name: string, value: string];

/**
 * The recipes, policies and algorithms, one line a key. Of several runs first the keys at which they differ, a column for each, and
 * all of them folded away.
 */
export function configurationTable(histories: readonly History[]): Html {
  const columns = histories.map(({ run }) => new Map(configuration(run.record)));
  if (histories.length === 1) return html`<div class="card">${factsTable(histories, columns, () => true)}</div>`;
  // A run without a policy differs from one with a policy in all of its keys: the recipe says it in one.
  const policies = histories.every(({ run }) => run.record.policy !== null);
  const differ = (name: string): boolean =>
    (policies || !name.startsWith('policy.')) && columns.some((facts) => facts.get(name) !== columns[0]?.get(name));
  const count = new Set(columns.flatMap((facts) => [...facts.keys()].filter(differ))).size;
  return html`<div class="card" id="differences">
<h3>${count === 0 ? 'The runs have one configuration.' : count === 1 ? 'The runs differ in one key.' : `The runs differ in ${count} keys.`}</h3>
${count > 0 && factsTable(histories, columns, differ)}</div>
<details class="card"><summary>The whole configuration</summary>${factsTable(histories, columns, () => true)}</details>`;
}

/** Where the runs were made, and from what. */
export function environmentTable(histories: readonly History[]): Html {
  return factsTable(
    histories,
    histories.map(({ run }) => new Map(environment(run.record))),
    () => true,
  );
}

function configuration({ recipe, policy, algorithms, stochasticity }: RunRecord): Fact[] {
  const shown = (value: unknown, prefix: string): Fact[] =>
    flatten(value, prefix).map(([name, inner]) => [name, scalar(inner)]);
  return [
    ...shown(recipe, ''),
    ...shown(policy ?? {}, 'policy'),
    ...algorithms.map(({ name, options }): Fact => [`algorithm.${name}`, optionsText(options)]),
    ...stochasticity.map(
      ({ path, kind, rate, granularity, scaling }): Fact => [
        `random.${path}`,
        `${kind}${rate === null ? '' : ` ${String(rate)}`}, ${granularity}, ${scaling}`,
      ],
    ),
  ];
}

function environment(record: RunRecord): Fact[] {
  const { versions, host, git, data, container, gpus } = record;
  const dirty = git === null ? '' : git.dirty === null ? ', clean' : `, with changes ${short(git.dirty)}`;
  const optional = (name: string, value: string | null): Fact[] => (value === null ? [] : [[name, value]]);
  return [
    ['run', record.id],
    ...optional('parent', record.parent),
    ['command', record.command.join(' ')],
    ['started', record.startedAt],
    ['finished', record.finishedAt ?? 'not yet'],
    ...record.resumptions.map(
      ({ time, batch }, i): Fact => [`resumption ${String(i + 1)}`, `${time}, at batch ${grouped(batch)}`],
    ),
    ...optional('failure', record.failure),
    ...optional('stopped because', record.stopReason),
    ...optional('user', record.user),
    ['commit', git === null ? 'none' : `${short(git.commit)}${dirty}`],
    ['lock file', record.lockfileDigest === null ? 'none' : `sha256 ${short(record.lockfileDigest)}`],
    ...optional(
      'container',
      container === null ? null : [container.image, container.id && short(container.id)].filter(Boolean).join(', '),
    ),
    ['recipe', `sha256 ${short(record.recipeDigest)}`],
    ...optional(
      'journal',
      record.journal === null ? null : `${grouped(record.journal.lines)} lines, sha256 ${short(record.journal.digest)}`,
    ),
    [
      'data',
      `${data.name}: ${grouped(data.sizes.train)} training, ${grouped(data.sizes.validation)} validation, sha256 ${short(data.digest)}`,
    ],
    ...optional('split', data.splitDigest === null ? null : `sha256 ${short(data.splitDigest)}`),
    ['model', `${record.model.name}, ${grouped(record.model.parameters)} parameters`],
    ...optional('optimizer', partText(record.optimizer)),
    ...optional('schedule', partText(record.schedule)),
    ...optional(
      'batch',
      record.batchSize === null
        ? null
        : `${grouped(record.batchSize)} rows${record.microbatches !== null && record.microbatches > 1 ? ` in ${String(record.microbatches)} parts` : ''}`,
    ),
    ['shallows', versions.shallows],
    ['@shallows/torch', versions.torch],
    ['libtorch', versions.libtorch],
    ...optional('CUDA', versions.cuda),
    ...optional('graphics driver', versions.driver),
    ['Node', versions.node],
    [
      'processor',
      `${host.cpu}, ${String(host.cores)} ${host.cores === 1 ? 'core' : 'cores'}, ${String(host.threads)} ${host.threads === 1 ? 'thread' : 'threads'}`,
    ],
    ['memory', bytes(host.memoryBytes)],
    ['devices', host.devices.join(', ')],
    ...optional('graphics processors', gpus.length === 0 ? null : gpus.map(({ name }) => name).join(', ')),
    ['system', `${host.platform}, ${host.arch}`],
    ['processes', String(record.worldSize)],
    ['precision', record.precision],
    ...Object.entries(record.determinism).map(([name, value]): Fact => [`determinism.${name}`, String(value)]),
    ...Object.entries(record.keys).map(([name, value]): Fact => [`key.${name}`, value]),
  ];
}

function factsTable(
  histories: readonly History[],
  columns: readonly ReadonlyMap<string, string>[],
  wanted: (name: string) => boolean,
): Html {
  const names = [...new Set(columns.flatMap((facts) => [...facts.keys()]))].filter(wanted);
  const lines = names.map((name) => {
    const values = columns.map((facts) => facts.get(name) ?? '–');
    const same = values.every((value) => value === values[0]);
    if (same)
      return html`<tr><th scope="row">${breakable(name)}</th><td colspan="${columns.length}">${values[0]}</td></tr>
`;
    return html`<tr class="differs"><th scope="row">${breakable(name)}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>
`;
  });
  const head =
    columns.length > 1 &&
    html`<thead><tr><th></th>${histories.map(({ label, colour }) => html`<th scope="col"><i class="key dot" style="color:${colour}"></i>${label}</th>`)}</tr></thead>`;
  return html`<div class="scroll"><table class="facts">${head}<tbody>
${lines}</tbody></table></div>`;
}

/** A path that a narrow column breaks after its dots. */
function breakable(path: string): Html {
  return html`${path.split('.').map((part, i) => html`${i > 0 && html`.<wbr>`}${part}`)}`;
}

function partText(part: NamedPart | null): string | null {
  if (part === null) return null;
  const options = optionsText(part.options);
  return options === '' ? part.name : `${part.name}: ${options}`;
}

function optionsText(options: NamedPart['options']): string {
  return flatten(options)
    .filter(([name]) => name !== '')
    .map(([name, value]) => `${name} ${scalar(value)}`)
    .join(', ');
}

function scalar(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(scalar).join(', ');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
