import { parseArgs } from 'node:util';
import { ranksReport, tortureRanks } from './ranks.js';
import { ranksResumeReport, tortureRanksResume } from './ranks-resume.js';
import { type ResumeTally, tortureResume } from './resume.js';

// npm run torture -- MODE [--option NUMBER …]

/** What there is, and the numbers that each takes. */
const modes = {
  resume: { kills: 200, batches: 120, lanes: 2, seed: 1 },
  ranks: { steps: 2000, ranks: 2 },
  'ranks-resume': { batches: 14, ranks: 2 },
} as const satisfies Record<string, Record<string, number>>;

type Mode = keyof typeof modes;
type Numbers<M extends Mode> = Readonly<Record<keyof (typeof modes)[M] & string, number>>;

const usage = Object.entries(modes)
  .map(([mode, numbers]) => {
    const options = Object.entries(numbers).map(([name, value]) => ` [--${name} ${value}]`);
    return `expected: npm run torture -- ${mode}${options.join('')}`;
  })
  .join('\n');

function readNumbers<M extends Mode>(mode: M, words: readonly string[]): Numbers<M> {
  const defaults: Readonly<Record<string, number>> = modes[mode];
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args: [...words], options, allowPositionals: false });
  return Object.fromEntries(
    Object.entries(defaults).map(([name, otherwise]) => {
      const value = Number(values[name] ?? otherwise);
      if (Number.isSafeInteger(value) && value >= 1) return [name, value];
      throw new Error(`--${name}: expected a whole number from 1, got ${String(values[name])}`);
    }),
  ) as Numbers<M>;
}

function resumeReport(tally: ResumeTally, seconds: number): string {
  const { kills, starting, training, saving, stops, runs, equal, told, retold, leftOver, batches, problems } = tally;
  const grouped = (value: number): string => value.toLocaleString('en-US');
  return [
    '',
    `${kills} kills in ${runs} runs of ${batches} batches, ${Math.round(seconds)} s`,
    `  while starting or resuming  ${starting}`,
    `  between saves               ${training}`,
    `  inside a save               ${saving} (half checkpoints left behind: ${leftOver})`,
    `  beside them, stops that saved and ended: ${stops}`,
    `resumed from the newest checkpoint, none broken: ${problems.length === 0 ? kills + stops : 'no'} of ${kills + stops}`,
    `equal to the unbroken run bit for bit, weights, every other tensor and number: ${equal} of ${runs} runs`,
    `losses, evaluations and epochs told: ${grouped(told)}, of which told again after a resume, and alike: ${grouped(retold)}`,
    ...problems.map((problem) => `PROBLEM ${problem}`),
    '',
  ].join('\n');
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function resume(options: Numbers<'resume'>): Promise<boolean> {
  const start = performance.now();
  const tally = await tortureResume(options, say);
  process.stdout.write(resumeReport(tally, (performance.now() - start) / 1000));
  return tally.problems.length === 0 && tally.equal === tally.runs && tally.kills >= options.kills;
}

async function ranks(options: Numbers<'ranks'>): Promise<boolean> {
  const tally = await tortureRanks({ ...options, model: 'resnet-56' }, say);
  process.stdout.write(ranksReport(tally));
  return tally.equal && Math.abs(tally.notSent - tally.dropped) < 0.02;
}

async function ranksResume(options: Numbers<'ranks-resume'>): Promise<boolean> {
  const tally = await tortureRanksResume(options, say);
  process.stdout.write(ranksResumeReport(tally));
  return tally.problems.length === 0;
}

/** What the command line asks for, to be started; throws where it asks for nothing that there is. */
function chosen([mode, ...words]: readonly string[]): () => Promise<boolean> {
  switch (mode) {
    case 'resume': {
      const options = readNumbers(mode, words);
      return () => resume(options);
    }
    case 'ranks': {
      const options = readNumbers(mode, words);
      return () => ranks(options);
    }
    case 'ranks-resume': {
      const options = readNumbers(mode, words);
      return () => ranksResume(options);
    }
    default:
      throw new Error(`got ${mode ?? 'no name'}`);
  }
}

let run: (() => Promise<boolean>) | null = null;
try {
  run = chosen(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
  process.exitCode = 2;
}
if (run !== null) process.exitCode = (await run()) ? 0 : 1;
