import { describe, expect, test } from 'vitest';
import { rootKey } from '../random/key.js';
import { evaluation, monteCarloPass, passSlot, trainingPass } from './pass.js';

describe('Pass', () => {
  test('evaluation draws nothing; only a training pass trains', () => {
    const key = rootKey(1);
    expect(evaluation).toMatchObject({ mode: 'evaluation', training: false, key: null });
    expect(trainingPass({ key })).toMatchObject({ mode: 'training', training: true, key });
    expect(trainingPass().key).toBeNull();
    expect(monteCarloPass({ key })).toMatchObject({ mode: 'monte-carlo', training: false, key });
  });

  test('a value attached makes another pass and leaves the first as it was', () => {
    const slot = passSlot<number>('count');
    const first = trainingPass({ key: rootKey(1) });
    const second = first.with(slot, 1);
    const third = second.with(slot, 2);
    expect([first.get(slot), second.get(slot), third.get(slot)]).toEqual([undefined, 1, 2]);
    expect(third).toMatchObject({ mode: 'training', training: true, key: first.key });
    expect([first, second, evaluation].every(Object.isFrozen)).toBe(true);
  });

  test('slots of one name are different places', () => {
    const a = passSlot<string>('same');
    const b = passSlot<string>('same');
    const pass = evaluation.with(a, 'a');
    expect(pass.get(b)).toBeUndefined();
    expect(pass.with(b, 'b').get(a)).toBe('a');
    expect(evaluation.get(a)).toBeUndefined();
  });
});
