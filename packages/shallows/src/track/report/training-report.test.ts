import { JSDOM } from 'jsdom';
import { beforeAll, describe, expect, test } from 'vitest';
import { type SyntheticOptions, syntheticRun } from '../../../../../tests/support/synthetic-run.js';
import { type ReportOptions, renderReport } from './page.js';

interface Page {
  readonly document: Document;
  readonly rows: ReadonlyMap<string, readonly string[]>;
  readonly notices: readonly string[];
}

async function reportOf(runs: readonly SyntheticOptions[], options: ReportOptions = {}): Promise<Page> {
  const text = renderReport(await Promise.all(runs.map((each) => syntheticRun(each))), options);
  const { document } = new JSDOM(text).window;
  for (const svg of document.querySelectorAll('svg.plot')) expect(svg.outerHTML).not.toMatch(/NaN|undefined|Infinity/);
  const rows = [...document.querySelectorAll('table.headline tbody tr')].map((row) => {
    const name = row.querySelector('th')?.firstChild?.textContent?.trim() ?? '';
    return [name, [...row.querySelectorAll('td')].map(({ textContent }) => textContent ?? '')] as const;
  });
  const notices = [...document.querySelectorAll('.notice')].map(({ textContent }) => textContent ?? '');
  return { document, rows: new Map(rows), notices };
}

const textOf = ({ document }: Page, selector: string): string =>
  (document.querySelector(selector)?.textContent ?? '').replaceAll('\u00a0', ' ');
const titlesOf = ({ document }: Page, id: string): string[] =>
  [...document.querySelectorAll(`#${id} .wide circle title`)].map(({ textContent }) => textContent ?? '');

describe('a run with spikes and a wide gap, that was killed on the way', () => {
  let page: Page;
  beforeAll(async () => {
    page = await reportOf([
      { epochs: 20, perEpoch: 64, spikes: [350, 351, 500], gap: 0.11, killedAt: 12, goal: 0.6, dataWaitMs: 3 },
    ]);
  });

  test('marks the spikes, and counts what was measured', () => {
    expect(titlesOf(page, 'training-loss')).toEqual([
      expect.stringMatching(/^run, epoch 5\.5: loss 3\.\d+$/) as string,
      expect.stringMatching(/^run, epoch 5\.5: loss 3\.\d+$/) as string,
      expect.stringMatching(/^run, epoch 7\.8: loss 3\.\d+$/) as string,
    ]);
    expect(textOf(page, '#training-loss figcaption')).toMatch(
      /3 spikes in 1\d\d readings \([\d.]+ in a thousand\), standard deviation 0\.\d+ at the end\./,
    );
    expect(page.rows.get('Loss spikes')?.[0]).toMatch(/^3 of 1\d\d readings$/);
    expect(textOf(page, '#gradient-norm figcaption')).toMatch(/largest 1\d\.\d/);
  });

  test('draws the band of chance around the gap, and gives its verdict', () => {
    expect(page.document.querySelectorAll('#gap .wide [aria-label="area"] path')).toHaveLength(1);
    expect(textOf(page, '#gap .legend')).toBe('gap90 % by chancealert, 3 points');
    expect(textOf(page, '#gap figcaption')).toMatch(/an alert: at least [\d.]+ pts of it are no chance/);
    expect(page.rows.get('Gap')?.[0]).toMatch(/^\+1\d\.\d pts alert$/);
    expect(page.notices).toEqual([
      expect.stringMatching(/^the model overfits: a gap of 1\d\.\d pts/) as string,
      'the run was taken up again once; what it did twice counts once.',
    ]);
  });

  test('says when the goal was reached, and what it cost', () => {
    expect(page.rows.get('Time to accuracy ≥ 60.0 %')?.[0]).toMatch(/^epoch \d+, [\d.]+ s$/);
    expect(page.rows.get('Waiting for data')?.[0]).toMatch(/^1\d\.\d %$/);
    expect(page.rows.get('Peak memory')?.[0]).toBe('412 MiB');
    expect(textOf(page, '#spending .legend')).toBe('training stepswaiting for dataevaluationdone again after a resume');
    expect(textOf(page, '#spending figcaption')).toMatch(
      /device-hours on one device, 81,920 samples, \d+ a second in training, .* waiting for data, .* done again after a resume\.$/,
    );
    expect(textOf(page, '.facts')).not.toContain('algorithm.mixup');
    expect(page.document.body.textContent).toContain('resumption 1');
    expect(page.document.body.textContent).toContain('algorithm.label-smoothing');
  });
});

describe('runs of other tasks', () => {
  test('regression: its own metric, no noise, no blocks', async () => {
    const page = await reportOf([{ task: 'regression', sites: 0, drop: 0, status: 'stopped', stopsAt: 9 }]);
    expect(textOf(page, '#metric h3')).toBe('RMSE');
    expect(textOf(page, '.summary')).toMatch(
      /^Stopped after 9 of 15 epochs \(accuracy did not rise for 5 evaluations\): validation RMSE [\d.]+, training [\d.]+;/,
    );
    expect(page.document.querySelectorAll('#gap .wide [aria-label="area"] path')).toHaveLength(0);
    expect(textOf(page, '#gap figcaption')).toContain('Validation RMSE less training RMSE');
    expect(textOf(page, '#gap figcaption')).toContain('Nothing is known of the noise');
    expect(page.rows.get('Validation RMSE')?.[0]).toMatch(/^[\d.]+$/);
    expect(page.rows.has('Blocks active')).toBe(false);
    expect(page.rows.has('Forward work skipped')).toBe(false);
    for (const id of ['metric', 'step-time', 'step-times']) expect(textOf(page, `#${id}`)).not.toContain('block');
  });

  test('a language model beside pictures: a picture for each metric, and no difference of the two', async () => {
    const page = await reportOf([
      { label: 'words', task: 'language' },
      { label: 'pictures', seed: 3 },
    ]);
    expect([textOf(page, '#metric h3'), textOf(page, '#metric-2 h3')]).toEqual(['Perplexity', 'Accuracy']);
    expect([textOf(page, '#metric .legend'), textOf(page, '#metric-2 .legend')]).toEqual([
      'wordsvalidationtraining',
      'picturesvalidationtraining',
    ]);
    expect(page.rows.get('Validation metric')).toHaveLength(3);
    expect(page.rows.get('Validation metric')?.[2]).toBe('');
    expect(page.rows.get('Time of a step')?.[2]).toMatch(/^× /);
    expect(textOf(page, '.summary')).toMatch(
      /^Pictures against words: validation \d\d\.\d % against perplexity [\d.]+;/,
    );
  });
});

describe('two runs on one page', () => {
  test('share their plots, with a legend, and list the keys that differ first', async () => {
    const page = await reportOf(
      [
        { label: 'plain', drop: 0, seed: 2, accuracy: 0.55 },
        { label: 'deep', accuracy: 0.71 },
      ],
      { target: 0.5 },
    );
    for (const id of ['loss', 'metric', 'gap', 'training-loss', 'gradient-norm']) {
      const svg = page.document.querySelector(`#${id} .wide`)?.outerHTML ?? '';
      expect(svg).toContain('var(--run-0)');
      expect(svg).toContain('var(--run-1)');
      expect(textOf(page, `#${id} .legend`)).toMatch(/^plaindeep/);
    }
    expect(textOf(page, '#differences h3')).toMatch(/^The runs differ in \d+ keys\.$/);
    const keys = [...page.document.querySelectorAll('#differences tbody th')].map(({ textContent }) => textContent);
    expect(keys).toContain('depth.kind');
    expect(keys).not.toContain('optimizer.lr');
    expect(page.document.querySelectorAll('#differences tr:not(.differs)')).toHaveLength(1);
    expect(page.rows.get('Validation accuracy')?.[2]).toMatch(/^\+\d\d\.\d pts$/);
    expect(page.rows.get('Time to accuracy ≥ 50.0 %')?.[2]).toMatch(/^× 0\.\d\d$/);
    expect(page.document.querySelectorAll('#spending .wide rect').length).toBeGreaterThanOrEqual(6);
  });

  test('of one configuration', async () => {
    const page = await reportOf([{ label: 'a' }, { label: 'b' }]);
    expect(textOf(page, '#differences h3')).toBe('The runs have one configuration.');
    expect(page.rows.get('Validation accuracy')?.[2]).toBe('0.0 pts, chance');
  });
});
