import type { TracedCall } from '@shallows/torch';
import { type Dataflow, plainName, roleOf, tensorsOf } from './dataflow.js';

/** One run of a random place in a trace. */
export interface SiteRun {
  readonly name: string;
  /** Its calls are `[from, to)`. */
  readonly from: number;
  readonly to: number;
  readonly input: number | null;
  readonly output: number | null;
}

/** What is around a place in the data flow. */
export interface Surroundings {
  /** The operator or random place that made its input: `linear`; null where it reads the model's input or a weight. */
  readonly follows: string | null;
  /** The operators or random places that read its output next; `output` where the model gives it. */
  readonly before: readonly string[];
  /** The nearest operator with weights, normalisation or softmax that its input went through. */
  readonly layer: string | null;
  /** The activation after that layer: `relu`. */
  readonly activation: string | null;
  /** Random places whose output reaches it with no layer and no residual sum between. */
  readonly doubles: readonly string[];
  /** Calls of batch norm that its output reaches first. */
  readonly batchNorms: readonly number[];
  /** Where its output goes without another layer: into a softmax, or out of the model; null where layers follow. */
  readonly ends: 'softmax' | 'output' | null;
}

/** Reads off a trace what is around one run of a random place. */
export function surroundingsOf(
  run: SiteRun,
  flow: Dataflow,
  runs: readonly SiteRun[],
  outputs: ReadonlySet<number>,
): Surroundings {
  const others = runs.filter((each) => each !== run && each.to > each.from && each.output !== null);
  const nameAt = (at: number): string =>
    others.find(({ from, to }) => at >= from && at < to)?.name ?? plainName(flow.calls[at] as TracedCall);
  const maker = run.input === null ? null : flow.maker(run.input, run.from);
  const next = run.output === null ? [] : flow.readers(run.output, run.to).map(nameAt);
  if (run.output !== null && outputs.has(run.output)) next.push('output');
  return {
    follows: maker === null ? null : nameAt(maker),
    before: [...new Set(next)],
    ...behind(run, flow, others),
    ...ahead(run, flow, outputs),
  };
}

function behind(
  { input, from }: SiteRun,
  flow: Dataflow,
  others: readonly SiteRun[],
): Pick<Surroundings, 'layer' | 'activation' | 'doubles'> {
  let layer: string | null = null;
  let activation: string | null = null;
  const doubles = new Set<string>();
  const seen = new Set<number>();
  const queue = input === null ? [] : [{ id: input, before: from, summed: false }];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
    const at = flow.maker(item.id, item.before);
    if (at === null || seen.has(at)) continue;
    seen.add(at);
    const other = others.find((each) => at >= each.from && at < each.to);
    if (other !== undefined) {
      if (!item.summed) doubles.add(other.name);
      if (other.input !== null) queue.push({ id: other.input, before: other.from, summed: item.summed });
      continue;
    }
    const call = flow.calls[at] as TracedCall;
    const name = plainName(call);
    const role = roleOf(name);
    if (role === 'activation') {
      if (layer === null) activation ??= name;
    } else if (role !== 'other') {
      layer ??= name;
      continue;
    }
    const read = tensorsOf(call);
    const summed = item.summed || (name === 'add' && read.length > 1);
    for (const { id } of read) queue.push({ id, before: at, summed });
  }
  return { layer, activation, doubles: [...doubles] };
}

function ahead(
  { output, to }: SiteRun,
  flow: Dataflow,
  outputs: ReadonlySet<number>,
): Pick<Surroundings, 'batchNorms' | 'ends'> {
  const norms = new Set<number>();
  let ends: Surroundings['ends'] = null;
  const seen = new Set<string>();
  const queue = output === null ? [] : [{ id: output, from: to, isDirect: true }];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
    if (item.isDirect && outputs.has(item.id)) ends ??= 'output';
    for (const at of flow.readers(item.id, item.from)) {
      const place = `${at} ${item.isDirect}`;
      if (seen.has(place)) continue;
      seen.add(place);
      const call = flow.calls[at] as TracedCall;
      const role = roleOf(plainName(call));
      if (role === 'batch-norm') norms.add(at);
      if (role === 'softmax' && item.isDirect) ends = 'softmax';
      if (role === 'batch-norm' || role === 'row-norm' || role === 'softmax') continue;
      const isDirect = item.isDirect && role !== 'layer';
      for (const { id } of call.outputs) queue.push({ id, from: at + 1, isDirect });
    }
  }
  return { batchNorms: [...norms], ends };
}
