import { parseTime, type Time } from '../time/index.js';
import { checkData } from './data-rules.js';
import { checkPolicy } from './depth-rules.js';
import type { LooseSections, Report } from './loose.js';
import { checkModel } from './model-rules.js';
import { show } from './show.js';

type Sections = LooseSections;

/**
 * The rules between keys: each runs where the keys that it reads are valid in themselves.
 *
 * @param written the recipe as it stands, with what is wrong in it
 */
export function checkRules(sections: LooseSections, written: Readonly<Record<string, unknown>>, report: Report): void {
  checkData(sections, written['data'], report);
  checkModel(sections, report);
  checkPolicy(sections, written['depth'], report);
  for (const rule of [nesterov, duration, evaluateEvery, milestones, warmup, microbatches, algorithms, checkpoint]) {
    rule(sections, report);
  }
}

function nesterov({ optimizer }: Sections, report: Report): void {
  if (
    optimizer?.kind !== 'sgd' ||
    optimizer.nesterov !== true ||
    optimizer.momentum === undefined ||
    optimizer.momentum > 0
  )
    return;
  report(
    ['optimizer', 'nesterov'],
    'expected false without momentum, got true - write momentum: 0.9 or nesterov: false',
  );
}

function duration({ train, schedule }: Sections, report: Report): void {
  if (train?.duration === undefined) return;
  const { value, unit } = parseTime(train.duration);
  const at = ['train', 'duration'];
  const got = show(train.duration);
  if (unit === 'dur')
    report(at, `expected a time in ep, ba, sp or sec, got ${got} - a share of the duration cannot be the duration`);
  else if (value === 0) report(at, `expected a time above 0, got ${got} - write for example 1ep`);
  else if (unit === 'sec' && schedule?.kind !== undefined && schedule.kind !== 'constant') {
    report(
      at,
      `expected a time in ep, ba or sp with schedule ${schedule.kind}, got ${got} - the learning rate of a step must not depend on the clock`,
    );
  }
}

function evaluateEvery({ train }: Sections, report: Report): void {
  if (train?.evaluateEvery === undefined) return;
  const { value, unit } = parseTime(train.evaluateEvery);
  const onClock = train.duration !== undefined && parseTime(train.duration).unit === 'sec';
  if (value > 0 && unit !== 'sec' && !(onClock && unit === 'dur')) return;
  report(
    ['train', 'evaluateEvery'],
    `expected a time above 0 in ${onClock ? 'ep, ba or sp' : 'ep, ba, sp or dur'}, got ${show(train.evaluateEvery)} - write for example 1ep`,
  );
}

function milestones({ schedule }: Sections, report: Report): void {
  if (schedule?.kind !== 'multi-step' || schedule.milestones === undefined) return;
  let last: Time | null = null;
  for (const [index, text] of schedule.milestones.entries()) {
    const time = parseTime(text);
    const at = ['schedule', 'milestones', index];
    if (time.unit === 'sec')
      report(
        at,
        `expected a time in ep, ba, sp or dur, got ${show(text)} - the learning rate of a step must not depend on the clock`,
      );
    if (last !== null && last.unit === time.unit && time.value <= last.value) {
      report(
        at,
        `expected a time after ${show(schedule.milestones[index - 1])}, got ${show(text)} - write the milestones in ascending order`,
      );
    }
    last = time;
  }
}

function warmup({ schedule, train }: Sections, report: Report): void {
  if (schedule?.kind !== 'cosine' || schedule.warmup === undefined) return;
  const { value, unit } = parseTime(schedule.warmup);
  const at = ['schedule', 'warmup'];
  if (unit === 'sec')
    report(
      at,
      `expected a time in ep, ba, sp or dur, got ${show(schedule.warmup)} - the learning rate of a step must not depend on the clock`,
    );
  const whole = train?.duration === undefined ? null : parseTime(train.duration);
  const limit = unit === 'dur' ? 1 : whole?.unit === unit ? whole.value : Number.POSITIVE_INFINITY;
  if (value >= limit)
    report(at, `expected a time shorter than the duration, got ${show(schedule.warmup)} - write for example 0.1dur`);
}

function microbatches({ train }: Sections, report: Report): void {
  if (train?.microbatches === undefined || train.batchSize === undefined) return;
  if (train.microbatches <= train.batchSize) return;
  report(
    ['train', 'microbatches'],
    `expected at most the ${String(train.batchSize)} pictures of a batch, got ${String(train.microbatches)} - write fewer`,
  );
}

/** Keys of which an algorithm needs one, and takes no more. */
const alternatives: Readonly<Record<string, readonly string[]>> = {
  ema: ['halflife', 'decay'],
  'gradient-clipping': ['norm', 'value', 'adaptive'],
};

function algorithms({ algorithms: given }: Sections, report: Report): void {
  const kinds = (given ?? []).map((each) => each?.kind);
  for (const [i, each] of (given ?? []).entries()) {
    const names = alternatives[each?.kind ?? ''] ?? [];
    const written = names.filter((name) => Reflect.get(Object(each), name) !== undefined);
    if (names.length > 0 && written.length !== 1) {
      const got = written.length === 0 ? 'none' : written.join(' and ');
      report(['algorithms', i], `expected one of ${names.join(', ')}, got ${got} - write one of them`);
    }
    const before = kinds.indexOf(each?.kind);
    if (each?.kind !== undefined && before < i) {
      report(['algorithms', i, 'kind'], `expected each algorithm once, got ${show(each.kind)} again - leave one out`);
    }
  }
}

function checkpoint({ checkpoint: given }: Sections, report: Report): void {
  if (given?.kind !== 'local') return;
  for (const [key, text] of Object.entries({ every: given.every, forever: given.forever, grace: given.grace })) {
    if (text === undefined) continue;
    const { value, unit } = parseTime(text);
    if (value === 0) report(['checkpoint', key], `expected a time above 0, got ${show(text)} - write for example 1ep`);
    if (key === 'grace' && unit !== 'sec') {
      report(['checkpoint', key], `expected a time on the clock, got ${show(text)} - write for example 30sec`);
    }
  }
}
