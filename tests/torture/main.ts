import { parseArgs } from 'node:util';
import { type ResumeTally, tortureResume } from './resume.js';

// npm run torture -- resume [--kills 200] [--batches 120] [--lanes 2] [--seed 1]

const usage = 'expected: npm run torture -- resume [--kills 200] [--batches 120] [--lanes 2] [--seed 1]';

function numbers(): {
  readonly kills: number;
  readonly batches: number;
  readonly lanes: number;
  readonly seed: number;
} {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    options: { kills: text, batches: text, lanes: text, seed: text },
    allowPositionals: true,
  });
  if (positionals.length !== 1 || positionals[0] !== 'resume')
    throw new Error(`got ${positionals.join(' ') || 'no name'}`);
  const whole = (name: keyof typeof values, otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw new Error(`--${name}: expected a whole number from 1, got ${values[name]}`);
  };
  return {
    kills: whole('kills', 200),
    batches: whole('batches', 120),
    lanes: whole('lanes', 2),
    seed: whole('seed', 1),
  };
}

function report(tally: ResumeTally, seconds: number): string {
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

let options: ReturnType<typeof numbers> | null = null;
try {
  options = numbers();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
  process.exitCode = 2;
}
if (options !== null) {
  const start = performance.now();
  const tally = await tortureResume(options, (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(report(tally, (performance.now() - start) / 1000));
  process.exitCode = tally.problems.length === 0 && tally.equal === tally.runs && tally.kills >= options.kills ? 0 : 1;
}
