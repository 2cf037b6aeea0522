// npm run bench -- [NAME …] [--threads 1|2] [--json] [--quick] [--write-docs]: ours against its peers, side by side in one run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '@shallows/torch';
import { type Arguments, parseArguments } from './arguments.js';
import { type Benchmark, verdictOf } from './benchmark.js';
import { benchmarks } from './benchmarks/index.js';
import { originOf } from './origin.js';
import { findPython } from './python.js';
import { performancePage, plainTable } from './report.js';
import { type Result, readResult, resultsFolder, writeResult } from './results.js';

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));

async function run(
  benchmark: Benchmark,
  python: string | null,
  { quick, compile, json, threads }: Arguments,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'shallows-bench-'));
  const begin = performance.now();
  const tell = (text: string): void => void process.stderr.write(`${benchmark.name}: ${text}\n`);
  try {
    const origin = originOf(python);
    const rows = await benchmark.run({ python, quick, compile, threads, folder, tell });
    const result = { name: benchmark.name, origin, rows };
    if (!json) show(benchmark, result, { ms: performance.now() - begin, quick });
    return result;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function show(benchmark: Benchmark, { rows }: Result, { ms, quick }: { ms: number; quick: boolean }): void {
  console.log(`\n${benchmark.name}, ${(ms / 1000).toFixed(0)} s`);
  for (const table of benchmark.tables(rows)) if (table.rows.length > 0) console.log(plainTable(table));
  // A trial tells nothing of goals.
  for (const line of quick ? [] : benchmark.goals(rows)) {
    const verdict = verdictOf(line);
    if (verdict !== 'not measured') console.log(`  goal ${line.goal}, ${verdict}: ${line.what}`);
  }
}

async function main(args: Arguments): Promise<void> {
  const chosen = benchmarks.filter(({ name }) => args.names.includes(name));
  const { libtorch } = version();
  const python = chosen.length > 0 ? findPython(libtorch) : null;
  if (python === null && chosen.length > 0) {
    process.stderr.write(
      `bench: peers are skipped: expected a Python with torch ${libtorch}, found none - ` +
        'run `npm run bench:setup`, or set SHALLOWS_PYTHON\n',
    );
  }
  const results: Result[] = [];
  for (const benchmark of chosen) {
    const result = await run(benchmark, python, args);
    results.push(result);
    // Figures of a trial are no figures, and without peers they would take the place of better ones.
    if (!args.quick && python !== null) writeResult(resultsFolder, result);
  }
  if (args.json) console.log(JSON.stringify(results));
  if (args.quick) process.stderr.write('bench: a trial: no results were written\n');
  if (args.writeDocs) {
    const reported = benchmarks.map((benchmark) => ({ benchmark, result: readResult(resultsFolder, benchmark.name) }));
    writeFileSync(page, performancePage(reported));
  }
}

try {
  await main(
    parseArguments(
      process.argv.slice(2),
      benchmarks.map(({ name }) => name),
    ),
  );
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
