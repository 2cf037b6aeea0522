// @ts-check
// Adds up vitest's JSON reports: `test-summary.mjs FILE …` ends with the line `N passed, N failed, N skipped`.
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const total = { passed: 0, failed: 0, skipped: 0 };
/** @param {typeof total} counts */
const text = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

for (const file of process.argv.slice(2)) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (!existsSync(file)) {
    // The runner did not come as far as that.
    total.failed += 1;
    process.stdout.write(`${basename(file, '.json')}: no report\n`);
    continue;
  }
  /** @type {{ testResults: { status: string, assertionResults: { status: string }[] }[] }} */
  const report = JSON.parse(readFileSync(file, 'utf8'));
  for (const { status, assertionResults } of report.testResults) {
    const statuses = assertionResults.map((result) => result.status);
    // A file that fails before or around its tests is a failure too.
    if (status === 'failed' && !statuses.includes('failed')) counts.failed += 1;
    for (const each of statuses) counts[each === 'passed' || each === 'failed' ? each : 'skipped'] += 1;
  }
  process.stdout.write(`${basename(file, '.json')}: ${text(counts)}\n`);
  for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) total[key] += counts[key];
}
process.stdout.write(`${text(total)}\n`);
process.exitCode = total.passed > 0 && total.failed === 0 ? 0 : 1;
