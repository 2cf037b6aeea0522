// @ts-check
// Every export has a doc comment: reads the model that typedoc wrote, and fails where one has none. Typedoc's own check
// cannot tell exported functions from methods.
import { readFileSync } from 'node:fs';

/** @typedef {{ name: string, kind: number, comment?: object, signatures?: Node[], children?: Node[], type?: { declaration?: Node } }} Node */

// typedoc's ReflectionKind: Project, Module, Namespace; Reference is an export under a second name.
const containers = new Set([1, 2, 4]);
const reference = 4_194_304;

/** @param {Node} node @returns {boolean} */
const hasComment = (node) =>
  node.comment !== undefined ||
  [...(node.signatures ?? []), ...(node.type?.declaration?.signatures ?? [])].some(hasComment);

/** @param {Node} node @param {string} path @returns {[path: string, documented: boolean][]} */
const exportsOf = (node, path) =>
  (node.children ?? [])
    .filter(({ kind }) => kind !== reference)
    .flatMap((child) => {
      const name = path === '' ? child.name : `${path}/${child.name}`;
      return containers.has(child.kind) ? exportsOf(child, name) : [[name, hasComment(child)]];
    });

const all = exportsOf(JSON.parse(readFileSync(process.argv[2] ?? 'docs/api/api.json', 'utf8')), '');
const bare = all.filter(([, documented]) => !documented);
for (const [name] of bare) process.stderr.write(`no doc comment: ${name}\n`);
process.stdout.write(`docs: ${all.length} exports, ${bare.length} without a comment\n`);
process.exitCode = all.length > 0 && bare.length === 0 ? 0 : 1;
