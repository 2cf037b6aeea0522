import { z } from 'zod';
import { algorithms } from './algorithms-schema.js';
import { data } from './data-schema.js';
import { depth } from './depth-schema.js';
import { keys, text, whole } from './fields.js';
import { model } from './model-schema.js';
import { optimizer, schedule } from './optimizer-schema.js';
import { checkpoint, train } from './train-schema.js';

const atLeast = Number.MAX_SAFE_INTEGER;

const track = keys({
  kind: z.literal('local', { error: 'kind local - write kind: local' }).default('local'),
  path: text('a folder', 'write the folder that new runs are put in').default('runs'),
});

const name = z
  .string({ error: 'a name - write a few letters, in quotes if they could be a number' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error:
      'a name of up to 100 letters, digits, dots, dashes and underscores - choose what names the folder of the run',
  });

/**
 * The sections of a recipe: the one source of its types, its defaults, its error messages and its key names.
 * Each is checked alone, so that a mistake in one does not hide those of another.
 */
export const sections = {
  name,
  seed: whole(0, atLeast, 'write any whole number, all randomness of a run follows from it').default(0),
  model,
  data,
  depth: depth.prefault({ kind: 'none' }),
  optimizer,
  schedule: schedule.prefault({ kind: 'constant' }),
  algorithms,
  train,
  checkpoint: checkpoint.prefault({ kind: 'local' }),
  track: track.prefault({}),
} as const;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** Name of a section of a recipe. */
export type SectionName = keyof typeof sections;

/** A checked recipe with every default filled in: deep-frozen plain JSON data. */
export type Recipe = DeepReadonly<{ [K in SectionName]: z.output<(typeof sections)[K]> }>;
