import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deriveKey, type Key, randint, rootKey } from 'shallows/random';
import { newestCheckpoint } from 'shallows/train';
import { type Life, lifeUntil, type Moment } from './kill.js';
import { differences, type Outcome, outcomeOf } from './outcome.js';

/** How hard to try. */
export interface ResumeOptions {
  readonly kills: number;
  /** Batches of each run. */
  readonly batches: number;
  /** Runs at a time. */
  readonly lanes: number;
  readonly seed: number;
}

/** What came of it. */
export interface ResumeTally {
  readonly batches: number;
  readonly kills: number;
  /** Of the kills: before the first step of a life, between saves, inside a save. */
  readonly starting: number;
  readonly training: number;
  readonly saving: number;
  /** Signals that let a life save and end. */
  readonly stops: number;
  readonly runs: number;
  /** Runs whose every bit is that of the unbroken one. */
  readonly equal: number;
  /** Losses, evaluations and epochs that were told, of all runs, and those that were told more than once. */
  readonly told: number;
  readonly retold: number;
  /** Folders of half checkpoints that kills left behind. */
  readonly leftOver: number;
  readonly problems: readonly string[];
}

type Counts = { -readonly [K in keyof Omit<ResumeTally, 'batches' | 'problems'>]: number };

/**
 * Kills runs at random moments, lets them resume until they end, and compares each with a run that nobody disturbed. Goes on
 * until there were as many kills as asked for and every run has ended.
 */
export async function tortureResume(options: ResumeOptions, say: (line: string) => void): Promise<ResumeTally> {
  const { batches, lanes, seed } = options;
  const home = mkdtempSync(join(tmpdir(), 'shallows-torture-'));
  const problems: string[] = [];
  const counts: Counts = {
    kills: 0,
    starting: 0,
    training: 0,
    saving: 0,
    stops: 0,
    runs: 0,
    equal: 0,
    told: 0,
    retold: 0,
    leftOver: 0,
  };
  try {
    const folder = join(home, 'unbroken');
    mkdirSync(folder);
    const { end } = await lifeUntil(folder, batches, { at: 'end' });
    if (end !== 'done') throw new Error(`the unbroken run ended with '${end}'`);
    const unbroken = outcomeOf(folder);
    say(
      `unbroken run: ${batches} batches, weights ${unbroken.weights.slice(0, 12)}, state ${unbroken.state.slice(0, 12)}`,
    );
    const lane = async (number: number): Promise<void> => {
      const key = deriveKey(rootKey(seed), 'lane', number);
      for (let i = 0; counts.kills < options.kills && problems.length === 0; i++) {
        const own = join(home, `${number}-${i}`);
        mkdirSync(own);
        problems.push(...(await brokenRun(own, deriveKey(key, i), options, unbroken, counts)));
        rmSync(own, { recursive: true });
        say(`run ${counts.runs}: ${counts.kills} kills, ${counts.equal} of ${counts.runs} runs equal`);
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, i) => lane(i)));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return { batches, ...counts, problems };
}

/** A run through as many lives as it takes; what is wrong with it. */
async function brokenRun(
  folder: string,
  key: Key,
  { kills, batches }: ResumeOptions,
  unbroken: Outcome,
  counts: Counts,
): Promise<string[]> {
  const checkpoints = join(folder, 'checkpoints');
  let saved = -1;
  for (let life = 0; ; life++) {
    const moment: Moment = counts.kills < kills ? drawMoment(deriveKey(key, life)) : { at: 'end' };
    const lived = await lifeUntil(folder, batches, moment);
    const { checkpoint, skipped } = newestCheckpoint(checkpoints);
    for (const { path, why } of skipped) return [`${path}: ${why}`];
    saved = Math.max(saved, lived.saved);
    const newest = checkpoint?.manifest.progress.batch ?? -1;
    if (newest < saved) return [`${folder}: expected a checkpoint of batch ${saved} or later, got ${newest}`];
    count(lived, counts, checkpoints);
    if (lived.end === 'done') break;
  }
  const outcome = outcomeOf(folder);
  const found = differences(outcome, unbroken);
  counts.runs++;
  if (found.length === 0) counts.equal++;
  counts.told += outcome.told.size;
  counts.retold += [...outcome.told.values()].filter((times) => times > 1).length;
  return found;
}

function count({ end, steps, inSave }: Life, counts: Counts, checkpoints: string): void {
  if (end === 'interrupted') counts.stops++;
  if (end !== 'killed') return;
  counts.kills++;
  if (steps === 0 && !inSave) counts.starting++;
  else if (inSave) counts.saving++;
  else counts.training++;
  try {
    counts.leftOver += readdirSync(checkpoints).filter((name) => name.startsWith('.saving')).length;
  } catch {
    // Killed before there was a folder.
  }
}

function drawMoment(key: Key): Moment {
  const draw = (name: string, below: number): number => randint(deriveKey(key, name), below);
  const kind = draw('kind', 20);
  if (kind === 0) return { at: 'step', count: 1 + draw('count', 15), delayMs: draw('delay', 20), signal: 'SIGTERM' };
  if (kind < 4) return { at: 'start', count: 0, delayMs: draw('delay', 1500), signal: 'SIGKILL' };
  if (kind < 10) return { at: 'step', count: 1 + draw('count', 25), delayMs: draw('delay', 30), signal: 'SIGKILL' };
  return { at: 'save', count: 1 + draw('count', 5), delayMs: draw('delay', 40), signal: 'SIGKILL' };
}
