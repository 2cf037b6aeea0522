import { ShallowsError, shown } from '../../errors.js';
import { requireWhole } from '../batch-plan.js';
import type { Augmentation } from '../config.js';
import type { Range } from './boxes.js';
import type { ColourJitterSettings } from './colour-jitter.js';
import type { RandAugmentSettings } from './rand-augment.js';
import type { RandomErasingSettings } from './random-erasing.js';
import type { ResizedCropSettings } from './resized-crop.js';

/** An augmentation with its defaults; null for what is not done. */
export interface AugmentSettings {
  readonly resizedCrop: ResizedCropSettings | null;
  readonly colourJitter: ColourJitterSettings | null;
  readonly randAugment: RandAugmentSettings | null;
  readonly crop: { readonly padding: number } | null;
  readonly flip: boolean;
  readonly erasing: RandomErasingSettings | null;
  /** Whether anything is done. */
  readonly any: boolean;
}

/** Fills in defaults. @throws ShallowsError for what is out of range, or does not go with pictures of `channels` */
export function augmentSettings(augment: Augmentation, channels: number): AugmentSettings {
  const { randomResizedCrop, colourJitter, randAugment, crop, flip = false, randomErasing } = augment;
  if (crop !== undefined) requireWhole('augment.crop.padding', crop.padding, 1);
  if (crop !== undefined && randomResizedCrop !== undefined)
    refuse('one of augment.crop and augment.randomResizedCrop', 'both', 'choose one');
  const coloured = colourJitter !== undefined ? 'colourJitter' : randAugment !== undefined ? 'randAugment' : null;
  if (coloured !== null && channels !== 1 && channels !== 3)
    refuse(`pictures of 1 or 3 channels for augment.${coloured}`, String(channels), 'leave it out');
  return {
    resizedCrop: randomResizedCrop === undefined ? null : resizedCropSettings(randomResizedCrop),
    colourJitter: colourJitter === undefined ? null : colourSettings(colourJitter),
    randAugment: randAugment === undefined ? null : randAugmentSettings(randAugment),
    crop: crop ?? null,
    flip,
    erasing: randomErasing === undefined ? null : erasingSettings(randomErasing),
    any: flip || [randomResizedCrop, colourJitter, randAugment, crop, randomErasing].some((each) => each !== undefined),
  };
}

function resizedCropSettings({
  scale = [0.08, 1],
  ratio = [3 / 4, 4 / 3],
}: NonNullable<Augmentation['randomResizedCrop']>): ResizedCropSettings {
  requireRange('augment.randomResizedCrop.scale', scale, 1);
  requireRange('augment.randomResizedCrop.ratio', ratio, Number.MAX_VALUE);
  return { scale, ratio };
}

function colourSettings({
  brightness = 0,
  contrast = 0,
  saturation = 0,
  hue = 0,
}: NonNullable<Augmentation['colourJitter']>): ColourJitterSettings {
  for (const [name, value] of Object.entries({ brightness, contrast, saturation }))
    requireNumber(`augment.colourJitter.${name}`, value, 1e6);
  requireNumber('augment.colourJitter.hue', hue, 0.5);
  return { brightness, contrast, saturation, hue };
}

function randAugmentSettings({
  operations = 2,
  magnitude = 9,
  bins = 31,
}: NonNullable<Augmentation['randAugment']>): RandAugmentSettings {
  requireWhole('augment.randAugment.operations', operations, 1, 100);
  requireWhole('augment.randAugment.bins', bins, 2, 1000);
  requireWhole('augment.randAugment.magnitude', magnitude, 0, bins - 1);
  return { operations, magnitude, bins };
}

function erasingSettings({
  probability = 0.5,
  scale = [0.02, 0.33],
  ratio = [0.3, 3.3],
  value = 0,
}: NonNullable<Augmentation['randomErasing']>): RandomErasingSettings {
  requireNumber('augment.randomErasing.probability', probability, 1);
  requireRange('augment.randomErasing.scale', scale, 1);
  requireRange('augment.randomErasing.ratio', ratio, Number.MAX_VALUE);
  if (value !== 'noise' && !Number.isFinite(value))
    refuse("a number or 'noise' as augment.randomErasing.value", shown(value), 'write 0 for the mean of the set');
  return { probability, scale, ratio, value };
}

function requireNumber(name: string, value: number, most: number): void {
  if (!(value >= 0 && value <= most)) refuse(`a number from 0 to ${most} as ${name}`, shown(value), 'correct it');
}

function requireRange(name: string, [low, high]: Range, most: number): void {
  if (low > 0 && low <= high && high <= most) return;
  const limit = most === Number.MAX_VALUE ? 'above 0' : `above 0, up to ${most}`;
  refuse(`a least and a largest number ${limit}, as ${name}`, `[${low}, ${high}]`, 'put the smaller one first');
}

function refuse(expected: string, got: string, advice: string): never {
  throw new ShallowsError(`batches: expected ${expected}, got ${got} - ${advice}`);
}
