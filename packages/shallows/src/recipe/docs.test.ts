import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { RecipeError } from './error.js';
import { allPaths, kindsOf } from './introspect.js';
import { parseRecipe } from './parse.js';

const root = new URL('../../../../', import.meta.url);
const page = readFileSync(new URL('docs/recipes.md', root), 'utf8');
const blocks = (language: string): string[] =>
  Array.from(page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms')), (match) => match[1] ?? '');

test('docs/recipes.md names every key and kind', () => {
  const missing = allPaths().filter((path) => {
    const key = path
      .split('.')
      .slice(path.startsWith('data.') ? 1 : -1)
      .join('.');
    const inSection = page.includes(`### ${path}\n`);
    return (
      key !== 'kind' &&
      !inSection &&
      !['limit', 'augment', 'augment.crop'].includes(key) &&
      !page.includes(`\`${key}\``)
    );
  });
  expect(missing).toEqual([]);
  for (const section of ['model', 'data', 'depth', 'optimizer', 'schedule']) {
    for (const kind of kindsOf(section)) expect(page).toContain(`\`${kind}\``);
  }
});

test('its example is a recipe, and its errors are what the example says', () => {
  const [example = ''] = blocks('yaml');
  expect(parseRecipe(example).name).toBe('my-net');
  const wrong = example.replace('depth: 20', 'depth: 21').replace('momentum:', 'momentun:');
  const parse = (): unknown => parseRecipe(wrong, { file: 'my.yaml', overrides: ['train.duration=5'] });
  expect(parse).toThrow(RecipeError);
  const [errors = ''] = blocks('text');
  let message = '';
  try {
    parse();
  } catch (error) {
    message = error instanceof Error ? error.message : '';
  }
  expect(message).toBe(errors.trimEnd());
});

test('its commands have recipes and overrides that parse', () => {
  const commands = blocks('sh').flatMap((block) => block.trimEnd().split('\n'));
  expect(commands.length).toBeGreaterThan(3);
  for (const command of commands) {
    const [, name = '', rest = ''] = /^npx shallows train recipes\/(\S+) (.+)$/.exec(command) ?? [];
    const overrides = Array.from(rest.matchAll(/'([^']+)'|(\S+)/g), (match) => match[1] ?? match[2] ?? '');
    expect(() => parseRecipe(readFileSync(new URL(`recipes/${name}`, root), 'utf8'), { overrides })).not.toThrow();
  }
});

test('recipes/README.md lists every recipe, and each starts with its command', () => {
  const readme = readFileSync(new URL('recipes/README.md', root), 'utf8');
  for (const name of readdirSync(new URL('recipes/', root)).filter((file) => file.endsWith('.yaml'))) {
    expect(readme).toContain(`[${name}](${name})`);
    const text = readFileSync(new URL(`recipes/${name}`, root), 'utf8');
    expect(text.slice(0, text.indexOf('\nname:'))).toMatch(/^#\s+npx shallows \S+/m);
  }
});
