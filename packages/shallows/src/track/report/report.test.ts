import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JSDOM } from 'jsdom';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SyntheticOptions, syntheticRun } from '../../../../../tests/support/synthetic-run.js';
import { writeReport } from '../write-report.js';

const FIGURES = [
  'loss',
  'metric',
  'gap',
  'learning-rate',
  'training-loss',
  'gradient-norm',
  'survival',
  'active',
  'step-time',
  'step-times',
  'spending',
];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-report-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Page {
  readonly text: string;
  readonly document: Document;
  /** Figures by id that hold drawings, and those that say why not. */
  readonly drawn: string[];
  readonly empty: Record<string, string>;
  readonly summary: string;
}

async function reportOf(...options: SyntheticOptions[]): Promise<Page> {
  const path = join(folder, 'report.html');
  await writeReport(path, await Promise.all(options.map((each) => syntheticRun(each))));
  const text = await readFile(path, 'utf8');
  const { document } = new JSDOM(text).window;
  const empty = FIGURES.flatMap((id) => {
    const words = document.querySelector(`#${id} .empty`)?.textContent;
    return words === undefined || words === null ? [] : [[id, words] as const];
  });
  return {
    text,
    document,
    drawn: FIGURES.filter((id) => document.querySelectorAll(`#${id} svg.plot`).length === 2),
    empty: Object.fromEntries(empty),
    summary: (document.querySelector('.summary')?.textContent ?? '').replaceAll('\u00a0', ' '),
  };
}

/** Every element is closed where it should be: serialising what was parsed gives the same tags. */
function tagsOf(markup: string): string[] {
  return [...markup.replace(/<style>[\s\S]*?<\/style>/g, '').matchAll(/<(\/?[a-zA-Z][\w-]*)/g)].map(([, name]) =>
    (name ?? '').toLowerCase(),
  );
}

const depth = { label: 'stochastic depth', accuracy: 0.712, gap: 0.04 };
const plain = { label: 'plain', drop: 0, seed: 2, accuracy: 0.698, gap: 0.09 };

describe('a report of two runs', () => {
  let page: Page;
  beforeAll(async () => {
    page = await reportOf(plain, depth);
  });

  test('has all its pictures, and each twice: wide and narrow', () => {
    expect(page.drawn).toEqual(FIGURES);
    expect(page.empty).toEqual({});
    for (const svg of page.document.querySelectorAll('svg.plot')) {
      expect(svg.getAttribute('xmlns')).toBe('http://www.w3.org/2000/svg');
      expect(svg.getAttribute('role')).toBe('img');
      expect(svg.getAttribute('aria-label')?.length).toBeGreaterThan(20);
      expect(svg.querySelector('style')).toBeNull();
      expect(svg.outerHTML).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  test('is well-formed, and refers to nothing outside', () => {
    const parsed = new JSDOM(page.text).serialize();
    expect(tagsOf(parsed)).toEqual(tagsOf(page.text));
    expect(page.document.querySelectorAll('script, img, iframe, link:not([href^="data:"])')).toHaveLength(0);
    expect(page.text.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\((?!#)|@import|src=/);
    expect(page.text.length).toBeLessThan(600_000);
  });

  test('says in a sentence what its tables say', () => {
    expect(page.summary).toMatch(
      /^With stochastic depth: validation \d\d\.\d % against \d\d\.\d % without, a difference that chance alone explains at 1,000 rows; \d\d % of the forward work skipped; a step took 0\.\d\d × the time\.$/,
    );
    const rows = new Map(
      [...page.document.querySelectorAll('table.headline tbody tr')].map((row) => [
        row.querySelector('th')?.firstChild?.textContent?.trim(),
        [...row.querySelectorAll('td')].map((cell) => cell.textContent),
      ]),
    );
    const [ofPlain = '', ofDepth = '', difference = ''] = rows.get('Validation accuracy') ?? [];
    expect(page.summary).toContain(`${ofDepth?.split(' ±')[0] ?? '?'} against ${ofPlain?.split(' ±')[0] ?? '?'}`);
    expect(difference).toMatch(/^[+−]\d\.\d pts, chance$/);
    const ratio = rows.get('Time of a step')?.[2] ?? '';
    expect(ratio).toMatch(/^× 0\.\d\d$/);
    expect(page.summary).toContain(`${ratio.slice(2)} ×`);
    expect(rows.get('Forward work skipped')?.[0]).toBe('0 %');
  });

  test('gives each run one colour everywhere, and marks where recipes differ', () => {
    const html = page.document.querySelector('#metric .wide')?.outerHTML ?? '';
    expect(html).toContain('var(--run-0)');
    expect(html).toContain('var(--run-1)');
    expect(page.document.querySelector('#survival .wide')?.outerHTML).not.toContain('var(--run-0)');
    const differing = [...page.document.querySelectorAll('tr.differs th')].map((cell) => cell.textContent);
    expect(differing).toContain('depth.kind');
    expect(differing).not.toContain('optimizer.lr');
  });
});

describe('a report of one run', () => {
  test('shows requested against realised rates, and alarms', async () => {
    const page = await reportOf({ label: 'run', sites: 20, alarm: true, epochs: 20 });
    expect(page.drawn).toEqual(FIGURES);
    expect(page.document.querySelectorAll('#survival .wide circle')).toHaveLength(20);
    const rows = [...page.document.querySelectorAll('details.sites tbody tr')];
    expect(rows).toHaveLength(20);
    expect(rows.map((row) => row.className === 'alarm').filter(Boolean)).toHaveLength(1);
    expect(rows.at(-1)?.lastElementChild?.textContent).toBe('outside');
    expect(page.document.querySelector('.notice')?.textContent).toContain(
      'one block ran at a rate that chance does not explain',
    );
    expect(page.summary).toMatch(
      /^Validation \d\d\.\d % after 20 epochs, training .* work skipped; \d\d\.\d of 20 blocks ran in the mean step; a step took [\d.]+ ms\.$/,
    );
  });

  const namesOf = (page: Page): (string | null)[] =>
    [...page.document.querySelectorAll('#survival .wide circle title')].map(({ textContent }) => textContent);
  const places = (page: Page, end = ''): number[] =>
    [...page.document.querySelectorAll('#survival .wide circle')].flatMap((circle) => {
      const named = circle.querySelector('title')?.textContent?.includes(end) === true;
      return named ? [Number(circle.getAttribute('cx'))] : [];
    });

  test('shows 54 blocks', async () => {
    const page = await reportOf({ sites: 54, epochs: 40 });
    expect(places(page)).toHaveLength(54);
    expect(page.document.querySelector('#survival h3')?.textContent).toBe('Survival of each block');
    const steps = places(page).map((x, i, all) => x - (all[i - 1] ?? Number.NaN));
    for (const step of steps.slice(1)) expect(step).toBeCloseTo(steps[1] ?? 0, 6);
    expect(page.document.querySelector('#survival .legend')?.textContent).not.toContain('basic');
  });

  test('shows the two branches of each of 12 blocks side by side', async () => {
    const kinds = ['attention', 'mlp'];
    const siteName = (i: number): string => `blocks.${String(i >> 1)}.${kinds[i % 2] ?? ''}`;
    const page = await reportOf({ sites: 24, kinds, siteName, unit: 'row', epochs: 20 });
    expect(namesOf(page)).toHaveLength(24);
    for (const id of ['step-time', 'step-times']) {
      const said = page.document.querySelector(`#${id}`)?.textContent;
      expect(said).toContain('branches');
      expect(said).not.toContain('blocks');
    }
    expect(namesOf(page)[3]).toMatch(/^run, blocks\.1\.mlp: ran in \d+\.\d % of 640 samples, \d+\.\d % requested$/);
    expect(page.document.querySelector('#survival h3')?.textContent).toBe('Survival of each branch');
    expect(page.document.querySelector('#survival .legend')?.textContent).toMatch(/^attentionmlprequested/);
    expect(page.document.querySelectorAll('#survival .legend .ring')).toHaveLength(1);
    const [attention, mlp] = [places(page, 'attention'), places(page, 'mlp')];
    const block = (attention[1] ?? 0) - (attention[0] ?? 0);
    for (const [i, x] of mlp.entries()) {
      expect(x - (attention[i] ?? 0)).toBeGreaterThan(0.2 * block);
      expect(x - (attention[i] ?? 0)).toBeLessThan(0.5 * block);
    }
    // Equal rates of both are one line, rates of their own are two.
    expect(page.document.querySelectorAll('#survival .wide [aria-label="line"] path')).toHaveLength(1);
    const uneven = await reportOf({ sites: 24, kinds, siteName, unevenKinds: true });
    expect(uneven.document.querySelectorAll('#survival .wide [aria-label="line"] path')).toHaveLength(2);
    expect(page.summary).toMatch(/of 24 branches ran in the mean step/);
    expect(page.document.querySelector('.tiles')?.textContent).toContain('Branches active');
    expect(page.document.querySelector('details.sites thead')?.textContent).toContain('samples');
  });

  test('draws the expected depth as it changes over time', async () => {
    const dashed = ({ document }: Page): string[] =>
      [...document.querySelectorAll('#active .wide [stroke-dasharray="5 4"]')].map(({ tagName, innerHTML }) =>
        `${tagName}${innerHTML}`.slice(0, 6),
      );
    const [constant, warm] = [await reportOf({ sites: 9 }), await reportOf({ sites: 9, warmup: 0.5 })];
    const points = ({ document }: Page): number =>
      document.querySelector('#active .wide g[stroke-dasharray="5 4"] path')?.getAttribute('d')?.split('L').length ?? 0;
    expect(dashed(constant)).toHaveLength(1);
    expect(points(constant)).toBe(0);
    expect(points(warm)).toBeGreaterThan(20);
  });

  test('says what was advised before, and names the policy', async () => {
    const page = await reportOf({ advice: ['<few> blocks'], alarm: true, epochs: 20 });
    expect([...page.document.querySelectorAll('.notice')].map(({ textContent }) => textContent)).toEqual([
      'one block ran at a rate that chance does not explain; see the drop rates below.',
      '<few> blocks',
    ]);
    const facts = page.document.querySelector('.facts')?.textContent ?? '';
    expect(facts).toContain('policy.optimizerfrozen');
    expect(page.document.querySelector('table.headline')?.parentElement?.textContent).toMatch(
      /Forward work skipped\d+\.\d % \d+\.\d % expected/,
    );
  });

  test('makes sense of a single evaluation', async () => {
    const page = await reportOf({ epochs: 1 });
    expect(page.drawn).toEqual(FIGURES);
    expect(page.summary).toContain('after 1 epoch,');
  });

  test('makes sense of no blocks, losses that are not numbers, and an interrupt', async () => {
    const page = await reportOf({ sites: 0, drop: 0, diverges: 5, status: 'interrupted', stopsAt: 8.4 });
    expect(page.empty).toEqual({});
    expect(page.drawn).toEqual(FIGURES.filter((id) => id !== 'survival' && id !== 'active'));
    expect(page.text).not.toContain('>Depth<');
    expect(page.document.querySelector('.tiles')?.textContent).toContain('Peak memory');
    expect(page.summary).toMatch(/^Interrupted after 8\.4 of 15 epochs: validation \d\d\.\d % after 8 epochs/);
    expect(page.document.querySelector('.notice')?.textContent).toBe(
      'the loss was not a finite number in 3 of 8 evaluations.',
    );
    expect(page.document.querySelector('#loss figcaption')?.textContent).toContain('6 of 16 losses cannot be drawn');
  });

  test('says what is missing of a run that has just begun, and of one that only diverged', async () => {
    const fresh = await reportOf({ status: 'running', stopsAt: 0 });
    expect(fresh.drawn).toEqual([]);
    expect(fresh.empty.loss).toBe('No evaluation yet.');
    expect(fresh.empty.survival).toBe('No data yet: the rates are counted up when a run ends.');
    expect(fresh.empty['step-time']).toBe('No training step yet.');
    expect(fresh.summary).toBe('Under way after 0 of 15 epochs: no evaluation yet.');
    const lost = await reportOf({ diverges: 0, status: 'failed', stopsAt: 2 });
    expect(lost.empty).toMatchObject({ loss: 'No loss was a finite number.' });
    expect(lost.drawn).toContain('metric');
    expect(lost.summary).toMatch(/^Failed after 2 of 15 epochs \(Trainer: expected a finite loss/);
  });

  test('takes a logarithmic scale for losses of many sizes', async () => {
    const page = await reportOf({ epochs: 60, finalLoss: 0.01 });
    expect(page.document.querySelector('#loss figcaption')?.textContent).toContain('logarithmic');
  });
});

describe('a report of anything', () => {
  test('escapes all it is given', async () => {
    const evil = `"><script>alert(1)</script><b x='`;
    const page = await reportOf(
      { label: evil, name: evil, siteName: (i) => `${evil}${String(i)}` },
      { label: '&amp;', drop: 0 },
    );
    expect(page.document.querySelectorAll('script, b[x]')).toHaveLength(0);
    expect(page.document.querySelector('h1')?.textContent).toBe(`${evil}, synthetic`);
    expect(page.document.querySelector('details.sites code')?.textContent).toBe(`${evil}0`);
    expect(page.document.querySelector('#survival .wide title')?.textContent).toContain(evil);
    expect([...page.document.querySelectorAll('table.headline thead th')].map((cell) => cell.textContent)).toContain(
      '&amp;',
    );
    expect(tagsOf(new JSDOM(page.text).serialize())).toEqual(tagsOf(page.text));
  });

  test('compares more runs than it has colours', async () => {
    const page = await reportOf(
      ...Array.from({ length: 9 }, (_, i) => ({ label: `run ${String(i)}`, epochs: 2, seed: i })),
    );
    expect(page.summary).toMatch(/^Of 9 runs, run \d ended best/);
    expect(page.document.querySelectorAll('table.headline thead th')).toHaveLength(10);
    expect(page.document.querySelector('.tiles')).toBeNull();
  });

  test('takes a title', async () => {
    const path = join(folder, 'titled.html');
    await writeReport(path, [await syntheticRun({ epochs: 1 })], { title: 'One & only' });
    expect(new JSDOM(await readFile(path, 'utf8')).window.document.title).toBe('One & only · Shallows');
  });

  test('needs a run', async () => {
    await expect(writeReport('/nowhere/report.html', [])).rejects.toThrow(
      'writeReport: expected one run or more, got none',
    );
  });

  test('loads the DOM only when a report is written', async () => {
    // What the module of the layer imports at once, from file to file.
    const seen = new Set<string>();
    const visit = async (url: URL): Promise<void> => {
      if (seen.has(url.href)) return;
      seen.add(url.href);
      const source = await readFile(url, 'utf8');
      for (const [, specifier = ''] of source.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gm)) {
        if (specifier.startsWith('.')) await visit(new URL(specifier.replace(/\.js$/, '.ts'), url));
        else seen.add(specifier);
      }
    };
    await visit(new URL('../index.ts', import.meta.url));
    expect(seen).toContain('zod');
    expect(seen).not.toContain('jsdom');
    expect(seen).not.toContain('@observablehq/plot');
  });
});
