import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setNumThreads } from '@shallows/torch';
import { expect, test } from 'vitest';
import { rootKey } from '../random/index.js';
import { Conv2d, type Module } from './index.js';

const page = readFileSync(new URL('../../../../docs/nn.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  Array.from(page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms')), (match) => match[1] ?? '');

test('the program of docs/nn.md runs, and gives what its comments say', async () => {
  setNumThreads(1);
  const folder = mkdtempSync(join(tmpdir(), 'shallows-docs-'));
  try {
    const source = (name: string): string => fileURLToPath(new URL(`../${name}/index.ts`, import.meta.url));
    const program = blocks('ts')
      .join('\n')
      .replaceAll(/'shallows\/(\w+)'/g, (_, name: string) => JSON.stringify(source(name)));
    const path = join(folder, 'nn.ts');
    writeFileSync(path, `${program}\nexport { accuracy, copy, keys, losses, model, report };\n`);
    const ran = (await import(path)) as {
      readonly accuracy: number;
      readonly copy: Module;
      readonly keys: readonly string[];
      readonly losses: readonly number[];
      readonly model: Module;
      readonly report: { readonly missing: readonly string[] };
    };
    const comment = /\/\/ (out_scale,[^\n]+)\n\/\/ ([^\n]+)/.exec(page);
    expect(`${comment?.[1]} ${comment?.[2]}`).toBe(ran.keys.join(', '));
    expect(page).toContain(`// report.missing: ${ran.report.missing.join(', ')}\n`);
    expect(ran.losses.at(-1)).toBeLessThan(ran.losses[0] as number);
    expect(ran.accuracy).toBeGreaterThan(0.1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('its error is what the constructor says', () => {
  const [message = ''] = blocks('text');
  expect(() => new Conv2d(3, 4, 3, { key: rootKey(1), stride: 0, groups: 2 })).toThrow(message.trimEnd());
});
