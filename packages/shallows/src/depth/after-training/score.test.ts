import { manualSeed, randn, scope, setNumThreads, tensor } from '@shallows/torch';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cifarResnet } from '../../models/cifar-resnet.js';
import { efficientnet } from '../../models/efficientnet.js';
import { vit } from '../../models/vit.js';
import { crossEntropy, type Pass } from '../../nn/index.js';
import { rootKey } from '../../random/key.js';
import { findSites } from '../policy/find-sites.js';
import { skipSites } from './early-exit.js';
import { scoreSites } from './score.js';

const key = rootKey(4);

beforeAll(() => setNumThreads(1));
beforeEach(() => manualSeed(5));

describe('scoreSites', () => {
  test('the loss without each site, and by how much it is more', () => {
    scope(() => {
      const model = cifarResnet({ depth: 14, classes: 3, key });
      const x = randn([4, 3, 8, 8]);
      const y = tensor([0n, 1n, 2n, 0n]);
      const loss = (pass?: Pass): number => Number(crossEntropy(model.forward(x, pass), y).item());
      const { loss: whole, scores } = scoreSites(model, loss);
      expect(whole).toBe(loss());
      expect(scores).toHaveLength(6);
      for (const { name, loss: without, increase } of scores) {
        expect(without).toBe(loss(skipSites(model, [name])));
        expect(without).not.toBe(whole);
        expect(increase).toBe(without - whole);
      }
      expect(scoreSites(model, loss)).toEqual({ loss: whole, scores });
    });
  });

  test('by block, with all of its sites', () => {
    scope(() => {
      const model = vit({ size: 'ti', dim: 8, depth: 3, heads: 2, patch: 4, image: 8, classes: 3, key });
      const x = randn([2, 3, 8, 8]);
      const loss = (pass?: Pass): number => Number(model.forward(x, pass).sum().item());
      const { scores } = scoreSites(model, loss, { unit: 'block' });
      expect(scores.map(({ name }) => name)).toEqual(['blocks.0', 'blocks.1', 'blocks.2']);
      const pass = skipSites(model, ['blocks.1.attention', 'blocks.1.feedforward']);
      expect(scores[1]?.loss).toBe(loss(pass));
      const single = scoreSites(model, loss).scores;
      expect(single.map(({ name }) => name).slice(0, 2)).toEqual(['blocks.0.attention', 'blocks.0.feedforward']);
    });
  });

  test('what has no shortcut is not scored', () => {
    scope(() => {
      const model = efficientnet({ size: 'b0', classes: 2, key, widthFactor: 0.1, depthFactor: 0.5 });
      const skippable = findSites(model).filter(({ droppable }) => droppable);
      expect(skippable.length).toBeLessThan(findSites(model).length);
      const names = skippable.map(({ name }) => name);
      for (const unit of ['site', 'block'] as const) {
        expect(scoreSites(model, () => 1, { unit }).scores.map(({ name }) => name)).toEqual(names);
      }
    });
  });

  test('a loss that is not a number is the worst there is, without a site; of the whole model it is an error', () => {
    const model = cifarResnet({ depth: 8, classes: 3, key });
    const losses = [1, Number.NaN, 0.5, 3];
    expect(scoreSites(model, () => losses.shift() ?? 0).scores).toEqual([
      { name: 'layer1.0', loss: Number.POSITIVE_INFINITY, increase: Number.POSITIVE_INFINITY },
      { name: 'layer2.0', loss: 0.5, increase: -0.5 },
      { name: 'layer3.0', loss: 3, increase: 2 },
    ]);
    expect(() => scoreSites(model, () => Number.NaN)).toThrow(
      'scoreSites: expected a finite loss of the whole model, got NaN - check what evaluates it',
    );
  });
});
