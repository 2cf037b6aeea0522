import { checkpoint, clearGrads, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { branchParameters, recompute } from '../depth/index.js';
import { transformerEncoder, vit } from '../models/index.js';
import { Linear, Module, type Pass, repeatable, rowKeysSlot, trainingPass } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import { Dropout, LockedDropout, nameDropouts } from './index.js';

const key = rootKey(9);
const numbers = (x: Tensor | null): number[] => Array.from(x?.toArray() ?? [], Number);
const gradients = (model: Module, run: (pass: Pass) => Tensor, pass: Pass): number[][] => {
  clearGrads(model.parameters());
  const y = run(pass);
  y.pow(2).sum().backward();
  return [numbers(y), ...model.parameters().map(({ grad }) => numbers(grad))];
};

beforeAll(() => setNumThreads(1));

describe('activation checkpointing', () => {
  test('of branches with every kind of dropout in them gives the same outputs and gradients, bit for bit', () => {
    scope(() => {
      const rates = { attnDrop: 0.2, projDrop: 0.2, hiddenDrop: 0.2, headDrop: 0.2 };
      const model = vit({
        size: 'ti',
        dim: 12,
        heads: 2,
        depth: 3,
        patch: 4,
        image: 8,
        classes: 3,
        key,
        posDrop: 0.1,
        ...rates,
      });
      const x = randn([4, 3, 8, 8]);
      const run = (pass: Pass): Tensor => model.forward(x, pass);
      const again = recompute(model, branchParameters(model, run));
      const plain = gradients(model, run, trainingPass({ key }));
      expect(gradients(model, run, again(trainingPass({ key })))).toEqual(plain);
      expect(gradients(model, run, trainingPass({ key: rootKey(10) }))).not.toEqual(plain);
      const keys = Array.from({ length: 4 }, (_, i) => deriveKey(key, i));
      const byRows = (): Pass => trainingPass({ key }).with(rowKeysSlot, keys);
      expect(gradients(model, run, again(byRows()))).toEqual(gradients(model, run, byRows()));
    });
  });

  test('of a shared layer that runs twice: each call has its own mask again, in whatever order', () => {
    scope(() => {
      class Twice extends Module {
        readonly fc = new Linear(20, 20, { key });
        readonly drop = new Dropout(0.5);
        readonly locked = new LockedDropout(0.5);

        part(x: Tensor, pass: Pass): Tensor {
          return this.drop.forward(this.locked.forward(this.drop.forward(this.fc.forward(x), pass), pass), pass);
        }

        override forward(x: Tensor, pass: Pass = trainingPass({ key })): Tensor {
          return this.part(this.part(x, pass), pass);
        }
      }
      const model = new Twice();
      nameDropouts(model);
      const x = randn([3, 2, 20]);
      const plain = gradients(model, (pass) => model.forward(x, pass), trainingPass({ key }));
      const part = (input: Tensor, pass: Pass): Tensor => {
        const twice = repeatable(pass);
        return checkpoint(
          ([y], isAgain) => model.part(y as Tensor, isAgain ? twice.again() : twice.first),
          [input],
          model.parameters(),
        );
      };
      // The second call is computed again before the first one.
      const checked = gradients(model, (pass) => part(part(x, pass), pass), trainingPass({ key }));
      expect(checked).toEqual(plain);
      // Without, the masks would be others and the gradients wrong.
      const wrong = gradients(
        model,
        (pass) => {
          const one = (input: Tensor): Tensor =>
            checkpoint(([y]) => model.part(y as Tensor, pass), [input], model.parameters());
          return one(one(x));
        },
        trainingPass({ key }),
      );
      expect(wrong).not.toEqual(plain);
    });
  });

  test('of a stack with layer drop', () => {
    scope(() => {
      const options = { vocabulary: 9, classes: 2, dim: 8, heads: 2, depth: 4, length: 5, key };
      const model = transformerEncoder({ ...options, layerDrop: 0.5, wordDrop: 0.2, projDrop: 0.1 });
      const x = randn([3, 5]).abs().mul(3).clampMax(8).to('int64');
      const run = (pass: Pass): Tensor => model.forward(x, pass);
      const again = recompute(model, branchParameters(model, run));
      for (const seed of [1, 2, 3]) {
        const own = (): Pass => trainingPass({ key: rootKey(seed) });
        expect(gradients(model, run, again(own()))).toEqual(gradients(model, run, own()));
      }
    });
  });
});
