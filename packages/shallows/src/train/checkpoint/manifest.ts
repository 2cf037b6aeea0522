import { z } from 'zod';
import { ShallowsError } from '../../errors.js';
import type { Progress } from '../events.js';
import { readExactJson, writeExactJson } from './exact-json.js';
import { type ContentFile, checkpointFiles } from './layout.js';

/** One file of a checkpoint. */
export interface FileFacts {
  readonly bytes: number;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

/** Where a run stood when it was saved. */
export interface SavedFacts {
  readonly progress: Progress;
  /** By names such as `validation.loss`. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What `manifest.json` says of a checkpoint. */
export interface Manifest extends SavedFacts {
  readonly schema: 1;
  /** Counts the checkpoints of a folder in the order in which they were written, from 1: the largest is the newest. */
  readonly sequence: number;
  /** ISO 8601, UTC. */
  readonly savedAt: string;
  readonly files: Readonly<Record<ContentFile, FileFacts>>;
}

const count = z.number().int().nonnegative();
// NaN is a number here: a diverged loss is evidence.
const anyNumber = z.custom<number>((value) => typeof value === 'number', 'expected a number');
const file = z.object({ bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) });

const facts = {
  progress: z.object({ epoch: count, batch: count, sample: count, elapsedMs: anyNumber, fraction: anyNumber }),
  metrics: z.record(z.string(), anyNumber),
};

const schema: z.ZodType<Manifest> = z.object({
  schema: z.literal(1, 'expected 1, the version that is read here'),
  sequence: count,
  savedAt: z.string(),
  ...facts,
  files: z.object({
    [checkpointFiles.model]: file,
    [checkpointFiles.state]: file,
    [checkpointFiles.json]: file,
  }),
});

/** The text of a manifest. */
export function writeManifest(manifest: Manifest): string {
  return `${writeExactJson('CheckpointStore.save', manifest, 2)}\n`;
}

/**
 * Reads a manifest; keys that are not known are left out.
 *
 * @throws ShallowsError for text that is none
 * @throws Error naming the field that is wrong
 */
export function parseManifest(text: string): Manifest {
  const result = schema.safeParse(readExactJson(checkpointFiles.manifest, text));
  if (result.success) return result.data;
  throw new Error(firstIssue(result.error));
}

/** @throws ShallowsError for what a manifest could not hold */
export function checkFacts(fn: string, given: SavedFacts): SavedFacts {
  const result = z.object(facts).safeParse(given);
  if (result.success) return result.data;
  throw new ShallowsError(
    `${fn}: expected progress in whole counts and metrics in numbers, got ${firstIssue(result.error)} - pass the progress of the run`,
  );
}

function firstIssue({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unreadable'}`;
}
