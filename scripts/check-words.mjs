// @ts-check
// The project names no machine, registry or unfinished business: fails where a file that git knows or would take does.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = 'scripts/check-words.mjs';
const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** @param {string} text */
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** @type {[what: string, pattern: RegExp][]} */
const forbidden = [
  ['unfinished business', /\b(?:TODO|FIXME|XXX)\b|\b[Ff]or now\b/],
  [
    'a folder of this machine',
    new RegExp(
      `(?<![\\w.-])(?:${[root, dirname(root), homedir()]
        .filter((path) => path.length > 1)
        .map(literal)
        .join('|')})(?![\\w-])`,
    ),
  ],
  ['a home folder', /(?:^|[\s"'`(=:])\/(?:home|Users|root)\/\w/],
  ['a registry that packages were resolved from', /"resolved": "(?:https?|file):/],
];
const registry = process.env.npm_config_registry;
if (registry !== undefined && !registry.includes('registry.npmjs.org')) {
  forbidden.push(['the registry of this machine', new RegExp(literal(new URL(registry).host))]);
}

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && path !== self);
let found = 0;
let read = 0;
for (const path of new Set(files)) {
  let text;
  try {
    text = readFileSync(`${root}/${path}`, 'utf8');
  } catch {
    continue; // Deleted, but not yet from the index.
  }
  read += 1;
  if (text.includes('\0')) continue;
  for (const [number, line] of text.split('\n').entries()) {
    for (const [what, pattern] of forbidden) {
      const match = pattern.exec(line);
      if (match === null) continue;
      found += 1;
      process.stderr.write(`${path}:${number + 1}: ${what}: ${match[0].trim()}\n`);
    }
  }
}
process.stdout.write(`words: ${read} files, ${found} violations\n`);
process.exitCode = read > 0 && found === 0 ? 0 : 1;
