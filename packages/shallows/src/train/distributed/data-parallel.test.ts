import { scope, zeros } from '@shallows/torch';
import { beforeAll, expect, test } from 'vitest';
import { bringBuiltUpToDate, builtModule } from '../../../../../tests/support/built.js';
import { runRanks } from '../../../../../tests/support/ranks.js';
import { Linear, trainingPass } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import { dataParallel } from './data-parallel.js';
import { shareText } from './share-text.js';

beforeAll(bringBuiltUpToDate);

/** Programs of ranks find the library's modules by these names. */
const modules = `
const { dataParallel, shareText } = await import(${JSON.stringify(builtModule('train/index.js'))});
const { Linear, trainingPass } = await import(${JSON.stringify(builtModule('nn/index.js'))});
const { rootKey } = await import(${JSON.stringify(builtModule('random/index.js'))});
`;

test('a process that is alone has nobody to wait for', async () => {
  const ranks = await dataParallel({ place: null, batchNorm: 'synchronised' });
  const model = scope(() => new Linear(2, 1, { key: rootKey(1) }));
  const [weight, bias] = [model.weight, model.bias ?? model.weight];
  ranks.start([weight, bias]);
  ranks.beginStep({ absent: new Set(), localAbsent: new Set([bias]) });
  scope(() =>
    model
      .forward(zeros([1, 2]))
      .sum()
      .backward(),
  );
  ranks.finishStep();
  expect(bias.grad?.item()).toBe(1);
  const pass = trainingPass();
  expect(ranks.pass(pass)).toBe(pass);
  expect([ranks.rank, ranks.size, ranks.bytesReduced]).toEqual([0, 1, 0]);
  expect(await ranks.sum([1, 2])).toEqual([1, 2]);
  expect(await shareText(ranks, 'Größe')).toBe('Größe');
  await ranks.barrier();
  await ranks.abort('nothing');
  await ranks.close();
  model.dispose();
});

test('ranks share values, numbers and texts, and may start again with other parameters', async () => {
  const said = await runRanks(
    2,
    `${modules}
const ranks = await dataParallel({ bucketBytes: 100 });
const one = new Linear(3, 2, { key: rootKey(10 + rank) });
const two = new Linear(3, 2, { key: rootKey(20 + rank) });
const step = (models, absent = new Set()) => {
  ranks.beginStep({ absent, localAbsent: new Set() });
  torch.scope(() => { for (const model of models) model.forward(torch.full([1, 3], rank + 1)).sum().backward(); });
  ranks.finishStep();
};
ranks.start(one.parameters());
const values = [...one.weight.toArray()];
step([one]);
const first = [...one.weight.grad.toArray()];
one.weight.requiresGrad = false;
ranks.start([...one.parameters(), ...two.parameters()]);
torch.clearGrads([one.bias]);
step([one, two], new Set([one.weight]));
let inScope;
torch.scope(() => { inScope = ranks.sum([rank, 2.5]); });
const text = await shareText(ranks, rank === 0 ? 'runs/größe' : 'nothing');
await ranks.barrier();
say({ values, first, frozen: [...one.weight.grad.toArray()], second: [...two.weight.grad.toArray()], sums: await inScope, empty: await ranks.sum([]), text, bytes: ranks.bytesReduced });
await ranks.close();
await ranks.close();`,
  );
  expect(said[0]).toEqual(said[1]);
  expect(said[0]).toMatchObject({
    first: [3, 3, 3, 3, 3, 3],
    frozen: [3, 3, 3, 3, 3, 3],
    second: [3, 3, 3, 3, 3, 3],
    sums: [1, 5],
    empty: [],
    text: 'runs/größe',
    bytes: 4 * (8 + 2 + 8),
  });
});

test('errors name parameters, and a rank that gives up is heard by all', async () => {
  const said = await runRanks(
    2,
    `${modules}
const model = new Linear(3, 2, { key: rootKey(1) });
const ranks = await dataParallel({ model, timeoutMs: 20000 });
ranks.start(model.parameters());
let message = '';
try {
  if (rank === 0) {
    ranks.beginStep({ absent: new Set(), localAbsent: new Set() });
    ranks.finishStep();
  } else await ranks.sum([1]);
} catch (error) { message = error.message; }
if (rank === 0) await ranks.abort(message);
say(message);
await ranks.close();`,
  );
  expect(said).toEqual([
    "finishStep: expected a gradient of every parameter that 'absent' and 'localAbsent' do not name, got none of 2: 'weight', float32[2, 3]; 'bias', float32[2] - name them, or leave out what the loss does not depend on",
    expect.stringContaining(
      'allReduce: expected all ranks to go on, got an error on rank 0 - finishStep: expected a gradient of every parameter',
    ),
  ]);
});

test('mistakes', async () => {
  await expect(dataParallel({ place: null, batchNorm: 'global' as never })).rejects.toThrow(
    "dataParallel: batchNorm: expected 'local' or 'synchronised', got global",
  );
});
