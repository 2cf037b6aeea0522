import type { BatchColumns, JournalLine, LineOf } from './line.js';

/** The lines of a journal, sorted by whether they still count. */
export interface Resolved {
  /** What happened in the end, in order. */
  readonly lines: readonly JournalLine[];
  /** What a resumed run did again, or left. */
  readonly superseded: readonly JournalLine[];
}

/**
 * Leaves out what rewinds took back. A rewind to batch B takes back all that was said of later batches, and an end of the run;
 * a line of batches is cut there. What then comes again, because a snapshot may be taken before the end of its batch or
 * before its evaluation, counts once: the later one.
 */
export function resolveRewinds(all: readonly JournalLine[]): Resolved {
  let lines: JournalLine[] = [];
  const superseded: JournalLine[] = [];
  /** What was said before is kept as far as `partsOf` says. */
  const keep = (partsOf: (line: JournalLine) => Parts): void => {
    const parts = lines.map(partsOf);
    lines = parts.flatMap(({ kept }) => kept ?? []);
    superseded.push(...parts.flatMap(({ lost }) => lost ?? []));
  };
  let rewind: LineOf<'rewind'> | null = null;
  let last = 0;
  for (const line of all) {
    if (line.kind === 'rewind') {
      keep((each) => partsAt(each, line.batch));
      rewind = line;
      last = Math.min(last, line.batch);
    } else if (line.kind === 'batches') {
      if (rewind !== null && line.first <= last) keep((each) => batchesBefore(each, line.first));
      last = line.first + line.durationMs.length - 1;
    } else if (rewind !== null && 'at' in line && line.at.batch <= rewind.batch + 1) {
      const { seq } = rewind;
      const again = lines.findLast((each) => each.seq < seq && isAgain(each, line));
      if (again !== undefined)
        keep((each) => (each === again ? { kept: null, lost: each } : { kept: each, lost: null }));
    }
    lines.push(line);
  }
  return { lines, superseded };
}

interface Parts {
  readonly kept: JournalLine | null;
  readonly lost: JournalLine | null;
}

/** What a rewind to a batch leaves of a line. */
function partsAt(line: JournalLine, batch: number): Parts {
  switch (line.kind) {
    case 'rewind':
    case 'repaired':
      return { kept: line, lost: null };
    case 'batches':
      return batchesBefore(line, batch + 1);
    default: {
      const ended = line.kind === 'fit-end' || (line.kind === 'warning' && line.topic === 'drop-rates');
      return ended || line.at.batch > batch ? { kept: null, lost: line } : { kept: line, lost: null };
    }
  }
}

/** A line of batches is cut before a batch; others stay. */
function batchesBefore(line: JournalLine, batch: number): Parts {
  if (line.kind !== 'batches') return { kept: line, lost: null };
  const count = line.durationMs.length;
  const keep = Math.max(0, Math.min(count, batch - line.first));
  if (keep === 0) return { kept: null, lost: line };
  if (keep === count) return { kept: line, lost: null };
  return { kept: part(line, 0, keep), lost: part(line, keep, count) };
}

/** Some of the batches of a line, as if they had been written alone. */
function part(line: LineOf<'batches'>, from: number, to: number): LineOf<'batches'> {
  const first = line.first + from;
  const column = (values: BatchColumns['lr']) => (typeof values === 'number' ? values : values.slice(from, to));
  const within = ([batch]: readonly [number, number]): boolean => batch >= first && batch < line.first + to;
  return {
    ...line,
    first,
    durationMs: line.durationMs.slice(from, to),
    dataWaitMs: column(line.dataWaitMs),
    samples: column(line.samples),
    active: line.active.slice(from, to),
    factor: column(line.factor),
    lr: column(line.lr),
    losses: line.losses.filter(within),
    gradNorms: line.gradNorms.filter(within),
  };
}

/** Whether a run that was taken up again says what it had said of the same moment. */
function isAgain(before: JournalLine, now: JournalLine): boolean {
  if (before.kind !== now.kind || !('at' in before) || !('at' in now) || before.at.batch !== now.at.batch) return false;
  if (before.kind === 'non-finite' && now.kind === 'non-finite') {
    return before.epoch === now.epoch && before.batch === now.batch;
  }
  return now.kind === 'evaluation' || now.kind === 'epoch-end';
}
