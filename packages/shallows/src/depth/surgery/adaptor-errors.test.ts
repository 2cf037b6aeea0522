import { ones, randn, scope, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { adaptPlain, PlainBlock, PlainNet } from '../../../../../tests/support/plain-blocks.js';
import { ShallowsError } from '../../errors.js';
import { evaluation, Linear, Module, type Pass, Sequential } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import { Site } from '../policy/site.js';
import { adaptResidual } from './adaptor.js';
import { applyStochasticDepth } from './surgery.js';

const key = rootKey(4);
const picture = scope(() => randn([4, 3, 5, 5]));

beforeAll(adaptPlain);

describe('what must not be silent', () => {
  const undone = (model: PlainNet): void => {
    for (const block of [model.first, model.middle, model.last]) {
      expect(Object.hasOwn(block, 'forward')).toBe(false);
      expect('site' in block).toBe(false);
    }
  };

  test('an adaptor that gives something else than the forward', () => {
    class Wrong extends PlainBlock {}
    const model = new Sequential(new Wrong(3, 3, key));
    adaptResidual(Wrong, { kind: 'wrong', branch: (block, x, pass) => block.layers(x, pass) });
    expect(() => applyStochasticDepth(model, { dropRate: 0.5, example: picture })).toThrow(
      'expected the adaptor of Wrong to give what its own forward gives, got [4, 3, 5, 5] float32 with other values than its',
    );
    const [block] = model;
    expect(block && Object.hasOwn(block, 'forward')).toBe(false);
    // Without an example nothing is compared.
    expect(applyStochasticDepth(model, { dropRate: 0.5 }).adapted).toEqual(['0']);
  });

  test('a difference as small as a branch may be', () => {
    class Small extends Module {
      readonly inner = new Linear(4, 4, { key });

      override forward(x: Tensor): Tensor {
        return x.add(this.inner.forward(x).mul(1e-5));
      }
    }
    adaptResidual(Small, { kind: 'small', branch: (_, x) => x.mul(0) });
    const model = new Sequential(new Small());
    expect(() => applyStochasticDepth(model, { dropRate: 0.5, example: ones([2, 4]) })).toThrow('the adaptor of Small');
  });

  test('an example that does not reach a targeted site, or blocks without the pass', () => {
    class Skipping extends PlainNet {
      override forward(x: Tensor, pass: Pass = evaluation): Tensor {
        return this.middle.forward(this.first.forward(x), pass);
      }
    }
    const model = new Skipping();
    expect(() => applyStochasticDepth(model, { dropRate: 0.5, example: picture })).toThrow(
      "expected the example to run every targeted site, got 1 of 3: not 'last', 'first' - hand the pass on to every block",
    );
    undone(model);
    expect(applyStochasticDepth(model, { target: 'middle', dropRate: 0.5, example: picture }).sites).toHaveLength(1);
  });

  test('a model without sites: the classes that may be blocks', () => {
    class Unknown extends PlainBlock {
      override forward(x: Tensor): Tensor {
        return x;
      }
    }
    class OwnBlock extends Module {
      readonly site = new Site('own');

      override forward(x: Tensor): Tensor {
        return x;
      }
    }
    const model = new Sequential(new Unknown(3, 3, key), new Unknown(3, 3, key));
    expect(() => applyStochasticDepth(model, { dropRate: 0 })).toThrow(
      'got one without sites or adaptors - give its blocks a Site and run them through residual(), or say how they are run with ' +
        'adaptResidual(Block, …); its modules are Unknown at 0, 1',
    );
    const mixed = new Sequential(new Unknown(3, 3, key), new OwnBlock());
    expect(() => applyStochasticDepth(mixed, { target: 'Unknown' })).toThrow(
      'its Unknown at 0 have no site: say how they are run with adaptResidual(Unknown, …), or name OwnBlock (kind own) at 1',
    );
  });

  test('a rate that reaches no site, or a list of another length, leaves the model as it was', () => {
    const model = new PlainNet();
    expect(() => applyStochasticDepth(model, { target: 'first', dropDistribution: 'linspace' })).toThrow(
      "the schedule 'linspace' gives the first block 0",
    );
    undone(model);
    expect(() => applyStochasticDepth(model, { dropDistribution: 'list', rates: [0.1] })).toThrow(
      'one rate a layer, 3, got 1',
    );
    undone(model);
  });

  test('adaptors of nothing', () => {
    const branch = (_: Module, x: Tensor): Tensor => x;
    class None {}
    expect(() => adaptResidual(None, { kind: 'a', branch: (_, x) => x })).toThrow('expected a class with a forward');
    expect(() => adaptResidual(undefined as never, { kind: 'a', branch })).toThrow(ShallowsError);
    expect(() => adaptResidual(PlainNet)).toThrow('expected units of different kinds for PlainNet, got none');
    expect(() => adaptResidual(PlainNet, { kind: 'a', branch }, { kind: 'a', branch })).toThrow('got "a", "a"');
    expect(() => adaptResidual(PlainNet, { kind: '', branch })).toThrow('got ""');
  });

  test('a subclass with a forward of its own is not run as its parent is', () => {
    class Deeper extends PlainBlock {
      override forward(x: Tensor, pass: Pass = evaluation): Tensor {
        return super.forward(x.mul(2), pass);
      }
    }
    class Same extends PlainBlock {}
    const model = new Sequential(new Deeper(3, 3, key), new Same(3, 3, key));
    expect(applyStochasticDepth(model, { example: picture }).adapted).toEqual(['1']);
  });

  test('a block whose field has the name of its site', () => {
    class Taken extends PlainBlock {
      readonly site = 'London';
    }
    expect(() => applyStochasticDepth(new Sequential(new Taken(3, 3, key)))).toThrow(
      "expected a block without the field 'site', got Taken with one",
    );
  });
});
