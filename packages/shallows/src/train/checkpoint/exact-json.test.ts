import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { readExactJson, writeExactJson } from './exact-json.js';
import { limits } from './layout.js';

const again = (value: unknown): unknown => readExactJson('read', writeExactJson('write', value));

describe('exact JSON', () => {
  test('any plain data comes back, with the numbers that JSON lacks', () => {
    const leaf = fc.oneof(
      fc.double({ noDefaultInfinity: false }),
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom(-0, Number.NaN, Number.NEGATIVE_INFINITY),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree')), fc.dictionary(fc.string(), tie('tree'))),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(again(value)).toEqual(value);
      }),
    );
    expect(again([Number.NaN, -0, 0, Number.POSITIVE_INFINITY])).toEqual([Number.NaN, -0, 0, Number.POSITIVE_INFINITY]);
  });

  test('a key that means something to JavaScript is a key like others', () => {
    const value = JSON.parse('{"__proto__":{"a":1},"constructor":2}') as object;
    const back = again(value) as object;
    expect(Object.keys(back)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  });

  const loop: { in?: unknown } = {};
  loop.in = loop;
  test.each<[string, unknown, string]>([
    ['undefined', { a: [undefined] }, '$.a[0], got undefined'],
    ['a bigint', { a: 1n }, '$.a, got 1n'],
    ['a function', [() => 0], '$[0], got a function'],
    ['a typed array', { a: new Float32Array(2) }, '$.a, got an instance of a class'],
    ['a hole', new Array(1), '$[0], got undefined'],
    ['the key of numbers', { a: { $number: 'NaN' } }, '$.a, got the key $number'],
    ['what holds itself', loop, `got data nested deeper than ${limits.jsonDepth}`],
  ])('%s is refused', (_, value, message) => {
    expect(() => writeExactJson('save', value)).toThrow(ShallowsError);
    expect(() => writeExactJson('save', value)).toThrow(`save: expected plain JSON data at`);
    expect(() => writeExactJson('save', value)).toThrow(message);
  });

  test.each<[string, string, RegExp]>([
    ['no JSON', '{"a":', /state\.json: expected JSON, got /],
    ['an unknown number', '{"$number":"Nan"}', /expected a number that JSON lacks in \$number, got "Nan"/],
    ['brackets without end', '['.repeat(5_000_000), /nested at most 64 deep, got more/],
    ['objects without end', '{"a":'.repeat(100_000), /nested at most 64 deep/],
  ])('%s is an error', (_, text, message) => {
    expect(() => readExactJson('state.json', text)).toThrow(ShallowsError);
    expect(() => readExactJson('state.json', text)).toThrow(message);
  });

  test('brackets in strings are no nesting', () => {
    expect(again('[{'.repeat(1000))).toBe('[{'.repeat(1000));
    expect(again('"\\['.repeat(1000))).toBe('"\\['.repeat(1000));
  });
});
