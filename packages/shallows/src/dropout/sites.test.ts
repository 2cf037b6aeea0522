import { randn, scope } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { callsSlot, evaluation, Linear, Module, type Pass, Sequential, trainingPass } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { attachDropConnect, Dropout, DropoutSite, nameDropouts } from './index.js';

const key = rootKey(1);

class Shared extends Module {
  readonly drop = new Dropout(0.5);
  readonly again = this.drop;
  readonly blocks = [new Sequential(new Dropout(0.1), new Dropout(0.2, { name: 'mine' }))];
  readonly lone = new DropoutSite('noise', { fn: 'Shared', granularity: 'element', scaling: 'noise', rate: 0.3 });
  readonly perLayer = [
    this.lone,
    new DropoutSite('noise', { fn: 'Shared', granularity: 'element', scaling: 'noise', rate: 0 }),
  ];
  readonly fc = attachDropConnect(new Linear(2, 2, { key }), 0.4);

  override forward(x: Parameters<Dropout['forward']>[0], pass: Pass = evaluation): typeof x {
    return this.again.forward(this.drop.forward(x, pass), pass);
  }
}

describe('nameDropouts', () => {
  test('names by place, each site once, and leaves given names', () => {
    using model = new Shared();
    const sites = nameDropouts(model);
    expect(sites.map(({ name, kind, rate }) => [name, kind, rate])).toEqual([
      ['lone', 'noise', 0.3],
      ['per_layer.1', 'noise', 0],
      ['drop', 'dropout', 0.5],
      ['blocks.0.0', 'dropout', 0.1],
      ['mine', 'dropout', 0.2],
      ['fc.drop_connect', 'drop-connect', 0.4],
    ]);
    expect(Object.keys(model.stateDict())).toEqual(['fc.weight', 'fc.bias']);
  });

  test('a model that is put into another one is named anew', () => {
    const inner = new Sequential(new Dropout(0.1));
    nameDropouts(inner);
    expect(nameDropouts(new Sequential(inner)).map(({ name }) => name)).toEqual(['0.0']);
    const root = new Dropout(0.1);
    expect(nameDropouts(root).map(({ name }) => name)).toEqual(['dropout']);
  });

  test('two of one name are an error, and nothing is named', () => {
    const first = new Dropout(0.1);
    const model = new Sequential(first, new Dropout(0.1, { name: '0' }));
    expect(() => nameDropouts(model)).toThrow(ShallowsError);
    expect(() => nameDropouts(model)).toThrow("nameDropouts: expected each name once, got '0' twice - ");
    expect(first.site.name).toBe('');
  });
});

describe('a site', () => {
  test('that is called twice in a pass draws other masks, in the same order each time', () => {
    scope(() => {
      using model = new Shared();
      nameDropouts(model);
      const x = randn([400]);
      const run = () => {
        const pass = trainingPass({ key });
        const y = model.forward(x, pass);
        return { y, calls: pass.get(callsSlot)?.counts };
      };
      const { y, calls } = run();
      expect([...(calls ?? [])]).toEqual([['drop', 2]]);
      expect(Array.from(run().y.toArray(), Number)).toEqual(Array.from(y.toArray(), Number));
      // Were both masks the same, half would be left rather than a quarter.
      const left = Array.from(y.toArray(), Number).filter((each) => each !== 0).length;
      expect(left).toBeGreaterThan(60);
      expect(left).toBeLessThan(140);
    });
  });

  test('says what it is', () => {
    const { site } = new Dropout({ rate: 0.3, schedule: { kind: 'early', length: '5ep' } });
    expect(site).toMatchObject({ kind: 'dropout', granularity: 'element', scaling: 'inverted', rate: 0.3 });
    expect(site.schedule).toEqual({ kind: 'early', length: '5ep' });
    expect(() => new Dropout(0.1, { name: 3 as unknown as string })).toThrow('Dropout: name: expected a string, got 3');
    expect(() => new Dropout({ rate: 2, schedule: { kind: 'constant' } })).toThrow(
      'Dropout: rate: expected a drop rate',
    );
    expect(() => new Dropout({ rate: 0.1, schedule: { kind: 'late', start: 'soon' } })).toThrow(
      /^Dropout: schedule\.start: expected/,
    );
  });
});
