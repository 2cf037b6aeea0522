import { autocast, randn, scope, setNumThreads } from '@shallows/torch';
import { beforeAll, expect, test } from 'vitest';
import { Linear, LSTM, Sequential, trainingPass } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import { attachDropConnect, Dropout, lockedDropouts, nameDropouts } from './index.js';

const key = rootKey(14);

beforeAll(() => setNumThreads(1));

test('under autocast masks are those without it, and what is kept is scaled in one rounding', () => {
  scope(() => {
    const model = new Sequential(new Linear(8, 64, { key }), new Dropout(0.3));
    nameDropouts(model);
    const x = randn([16, 8]);
    const forward = () => model.forward(x, trainingPass({ key }));
    const full = forward();
    const half = autocast({ dtype: 'bfloat16' }, forward);
    expect(half.dtype).toBe('bfloat16');
    expect(half.eq(0).eq(full.eq(0)).to('float32').mean().item()).toBe(1);
    const product = autocast({ dtype: 'bfloat16' }, () => (model as unknown as Record<number, Linear>)[0]?.forward(x));
    const wanted = product
      ?.to('float32')
      .mul(1 / 0.7)
      .to('bfloat16')
      .maskedFill(half.eq(0), 0);
    expect(Array.from(half.toArray(), Number)).toEqual(Array.from(wanted?.toArray() ?? [], Number));
    half.to('float32').sum().backward();
    expect(model.parameters().every(({ grad }) => grad?.dtype === 'float32')).toBe(true);
  });
});

test('recurrent layers with every dropout learn under autocast', () => {
  scope(() => {
    const rates = { input: 0.2, between: 0.2, hidden: 0.2, output: 0.2 };
    const lstm = new LSTM(4, 8, { key, numLayers: 2, batchFirst: true, dropouts: lockedDropouts(rates) });
    attachDropConnect(lstm, 0.2);
    nameDropouts(lstm);
    const x = randn([3, 5, 4]);
    for (const step of [0, 1]) {
      const { output } = autocast({ dtype: 'bfloat16' }, () =>
        lstm.forward(x, null, trainingPass({ key: deriveKey(key, step) })),
      );
      output.to('float32').pow(2).sum().backward();
    }
    for (const { grad } of lstm.parameters()) {
      expect(Array.from(grad?.toArray() ?? [Number.NaN], Number).every(Number.isFinite)).toBe(true);
    }
  });
});
