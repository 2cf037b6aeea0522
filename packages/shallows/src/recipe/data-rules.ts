import type { LooseSections, Report } from './loose.js';
import { show } from './show.js';

type Sections = LooseSections;
type Data<K> = Extract<NonNullable<Sections['data']>, { kind?: K | undefined }>;
type Written = Readonly<Record<string, unknown>>;

/**
 * What the keys of data say of each other, of the model and of the training.
 *
 * @param written the section as it stands, before defaults
 */
export function checkData(sections: LooseSections, written: unknown, report: Report): void {
  const { data } = sections;
  if (data === undefined) return;
  const own: Written = typeof written === 'object' && written !== null ? { ...written } : {};
  const at = (key: string, message: string): void => report(['data', key], message);
  checkClasses(sections, report);
  checkDropLast(sections, report);
  if ('augment' in data && data.augment !== undefined) checkAugment(data.augment, report);
  if (data.kind === 'csv' || data.kind === 'parquet') checkTable(data, own, at);
  if (data.kind === 'folder' || data.kind === 'csv' || data.kind === 'parquet') checkStream(data, own, at);
  if (data.kind === 'npy' || data.kind === 'npz') checkArrays(data, own, at);
  if (data.kind === 'tokens') checkTokens(data, own, at);
  if (data.kind === 'series') checkSeries(data, at);
}

/** How many classes the data have, as far as a recipe says. */
function classesOf(data: Sections['data']): number | null {
  switch (data?.kind) {
    case 'cifar10':
    case 'textures':
      return 10;
    case 'cifar100':
      return data.labels === undefined ? null : data.labels === 'fine' ? 100 : 20;
    case 'csv':
    case 'parquet':
    case 'npy':
    case 'npz':
      return data.classes?.length ?? null;
    default:
      return null;
  }
}

function checkClasses({ model, data }: Sections, report: Report): void {
  const expected = classesOf(data);
  const got = model !== undefined && 'classes' in model ? model.classes : undefined;
  if (got === undefined || expected === null || got === expected) return;
  report(
    ['model', 'classes'],
    `expected ${String(expected)} for ${String(data?.kind)}, got ${show(got)} - write classes: ${String(expected)}`,
  );
}

function checkDropLast({ data, train }: Sections, report: Report): void {
  if ((data?.kind !== 'textures' && data?.kind !== 'friedman') || train?.dropLast !== true) return;
  const rows = Math.min(data.train ?? Number.POSITIVE_INFINITY, data.limit?.train ?? Number.POSITIVE_INFINITY);
  if (train.batchSize === undefined || rows >= train.batchSize) return;
  report(
    ['train', 'batchSize'],
    `expected at most the ${String(rows)} training rows with dropLast, got ${String(train.batchSize)} - no batch would be left`,
  );
}

function checkAugment(
  { crop, randomResizedCrop, randAugment }: NonNullable<Data<'textures'>['augment']>,
  report: Report,
): void {
  if (crop !== undefined && randomResizedCrop !== undefined)
    report(['data', 'augment', 'crop'], 'expected none beside randomResizedCrop, got a section - choose one of them');
  const { magnitude, bins } = randAugment ?? {};
  if (magnitude !== undefined && bins !== undefined && magnitude >= bins) {
    report(
      ['data', 'augment', 'randAugment', 'magnitude'],
      `expected at most ${String(bins - 1)} of ${String(bins)} bins, got ${String(magnitude)} - write a smaller one`,
    );
  }
}

type At = (key: string, message: string) => void;

function checkTable(data: Data<'csv' | 'parquet'>, written: Written, at: At): void {
  const { task, target, features, categorical = [], ignore = [], segment } = data;
  const targets = target === undefined ? [] : typeof target === 'string' ? [target] : target;
  if (task === 'classification' && targets.length > 1)
    at('target', `expected one column for classification, got ${show(target)} - write the column of the classes`);
  if (task === 'regression' && data.classes !== undefined)
    at(
      'classes',
      `expected none for regression, got ${show(data.classes)} - remove them, or write task: classification`,
    );
  if (task === 'classification' && data.standardiseTarget === true)
    at('standardiseTarget', 'expected false for classification, got true - remove it');
  if (segment !== undefined && targets.includes(segment))
    at('segment', `expected another column than the target, got ${show(segment)} - remove it`);
  if (features !== undefined && ignore.length > 0)
    at('ignore', `expected none beside features, got ${show(ignore)} - columns that are not listed are left out`);
  const taken = [...targets, ...(segment === undefined ? [] : [segment])];
  const stolen = (features ?? []).find((name) => taken.includes(name));
  if (stolen !== undefined)
    at('features', `expected no target and no segment among them, got ${show(stolen)} - remove it`);
  const lost = categorical.find(
    (name) => taken.includes(name) || ignore.includes(name) || features?.includes(name) === false,
  );
  if (lost !== undefined) at('categorical', `expected features, got ${show(lost)} - add it to features or remove it`);
  checkShare(data.validation === undefined ? null : 'a validation file', written, at);
}

/** @param usual the default, which a recipe that is read again has written out */
function checkShare(beside: string | null, written: Written, at: At, usual = 0.2): void {
  if (beside === null || written.validationShare === undefined || written.validationShare === usual) return;
  at('validationShare', `expected none beside ${beside}, got ${show(written.validationShare)} - remove one of them`);
}

function checkStream(data: Data<'csv' | 'parquet' | 'folder'>, written: Written, at: At): void {
  // What is not written is the default; what is written wrongly is reported elsewhere.
  if (data.stream === true || (data.stream === undefined && written.stream !== undefined)) return;
  for (const key of ['workers', 'window']) {
    const value = written[key];
    // A recipe that is read again has its defaults written out.
    if (value === undefined || value === (key === 'workers' ? 0 : 8)) continue;
    at(key, `expected none without stream, got ${show(value)} - write stream: true or remove it`);
  }
}

function checkArrays(data: Data<'npy' | 'npz'>, written: Written, at: At): void {
  const { validationInputs, validationTargets } = data;
  if ((validationInputs === undefined) !== (validationTargets === undefined)) {
    const [given, lacking] =
      validationInputs === undefined
        ? ['validationTargets', 'validationInputs']
        : ['validationInputs', 'validationTargets'];
    at(given, `expected ${lacking} beside it, got none - write both or none`);
  }
  checkShare(validationInputs === undefined ? null : 'validationInputs', written, at);
  if (data.task === 'regression' && data.classes !== undefined)
    at(
      'classes',
      `expected none for regression, got ${show(data.classes)} - remove them, or write task: classification`,
    );
  if (data.inputDtype === 'int64' && data.standardise === true)
    at('standardise', 'expected false for int64 inputs, got true - remove it');
}

function checkTokens(data: Data<'tokens'>, written: Written, at: At): void {
  const { format, vocabulary, split, vocabularySize } = data;
  if (format === undefined) return;
  if (format === 'vocabulary' && vocabulary === undefined)
    at('format', 'expected a vocabulary beside format vocabulary, got none - write vocabulary: FILE');
  const cuts = format === 'vocabulary';
  const numbers = format === 'uint16' || format === 'uint32';
  for (const [key, value, fits] of [
    ['vocabulary', vocabulary, cuts],
    ['split', split, cuts],
    ['vocabularySize', vocabularySize, numbers],
  ] as const) {
    if (value === undefined || fits) continue;
    const other = numbers || key !== 'vocabularySize' ? 'vocabulary' : 'uint16';
    at(key, `expected none with format ${format}, got ${show(value)} - remove it, or write format: ${other}`);
  }
  checkShare(data.validation === undefined ? null : 'a validation file', written, at, 0.1);
}

function checkSeries({ columns, targets }: Data<'series'>, at: At): void {
  const stray = columns === undefined ? undefined : targets?.find((name) => !columns.includes(name));
  if (stray !== undefined) at('targets', `expected some of the columns, got ${show(stray)} - add it to columns`);
}
