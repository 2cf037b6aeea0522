// Writes src/aten.generated.ts: the names and overloads of libtorch's operators, for completion and type-checks.
// Run after `npm run setup`: node packages/torch/scripts/generate-aten.mjs

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const native = createRequire(import.meta.url)('../build/shallows_torch.node');
const overloads = new Map();
for (const [name, overload] of native.operatorNames()) {
  if (!name.startsWith('aten::')) continue;
  const short = name.slice('aten::'.length);
  if (!/^[A-Za-z_]\w*$/.test(short)) continue;
  overloads.set(short, [...(overloads.get(short) ?? []), overload === '' ? 'default' : overload]);
}
const lines = [...overloads]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(
    ([name, list]) =>
      `  readonly ${name}: Packet<${list
        .sort()
        .map((each) => `'${each}'`)
        .join(' | ')}>;`,
  );
const text = `// Written by scripts/generate-aten.mjs from libtorch ${native.version().libtorch}: do not edit.
import type { OpOverload } from './ops.js';

type Packet<Overload extends string> = OpOverload & { readonly [K in Overload]: OpOverload };

/** The operators of the namespace \`aten\`, with their overloads. */
export interface AtenOperators {
${lines.join('\n')}
}
`;
writeFileSync(fileURLToPath(new URL('../src/aten.generated.ts', import.meta.url)), text);
console.log(`${overloads.size} operators`);
