import { writeAtomically } from '../files/atomic-file.js';
import type { ReportOptions } from './report/page.js';
import type { RunData } from './run-data.js';

/**
 * Writes one self-contained HTML page about a run, or about several side by side: no script, no external request, for
 * light and dark screens, phones and paper.
 *
 * @param runs one or more, in the order in which they are shown
 * @param options.title what it is called; the names of the runs unless given
 * @param options.target a value of the primary metric: the report says when each run reached it
 * @throws ShallowsError without a run, or where the file cannot be written
 */
export async function writeReport(path: string, runs: readonly RunData[], options: ReportOptions = {}): Promise<void> {
  // Plots need a DOM, which takes longer to load than everything else of a run: it is loaded only here.
  const { renderReport } = await import('./report/page.js');
  await writeAtomically(path, renderReport(runs, options));
}
