import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settledTensors } from '../../../../../tests/support/settled-tensors.js';
import { deriveKey, rootKey } from '../../random/index.js';
import type { Dataset } from '../dataset.js';
import { loadTokens, type TokensConfig } from './load-tokens.js';
import { readVocabulary, Tokeniser } from './vocabulary.js';

let folder: string;
const text = 'Die Würde des Menschen ist unantastbar. '.repeat(20);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-tokens-'));
  await file('text.txt', text);
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const config = (more: Partial<TokensConfig> = {}): TokensConfig => ({
  kind: 'tokens',
  path: join(folder, 'text.txt'),
  context: 8,
  ...more,
});

function rows(dataset: Dataset, batchSize = 5): { inputs: number[][]; targets: number[][] } {
  const source = dataset.batches({ batchSize });
  const [inputs, targets]: [number[][], number[][]] = [[], []];
  for (let i = 0; i < source.length; i++) {
    const batch = source.at(i);
    for (const [tensor, into] of [
      [batch.inputs, inputs],
      [batch.targets, targets],
    ] as const) {
      expect(tensor.dtype).toBe('int64');
      const values = Array.from(tensor.toArray(), Number);
      const width = values.length / batch.size;
      for (let row = 0; row < batch.size; row++) into.push(values.slice(row * width, (row + 1) * width));
      tensor.dispose();
    }
  }
  return { inputs, targets };
}

/** What rows of T tokens from each start are. */
function windows(ids: readonly number[], from: number, to: number, context: number, stride = context) {
  const starts: number[] = [];
  for (let start = from; start + context + 1 <= to; start += stride) starts.push(start);
  return {
    inputs: starts.map((start) => ids.slice(start, start + context)),
    targets: starts.map((start) => ids.slice(start + 1, start + context + 1)),
  };
}

test('bytes: the next token is the target, the last share of the text validates', async () => {
  using data = await loadTokens(config());
  const bytes = [...Buffer.from(text)];
  const cut = Math.round(bytes.length * 0.9);
  expect(rows(data.train)).toEqual(windows(bytes, 0, cut, 8));
  expect(rows(data.validation)).toEqual(windows(bytes, cut, bytes.length, 8));
  expect(data.train).toMatchObject({
    name: 'tokens/train',
    task: 'language',
    inputShape: [8],
    inputDtype: 'int64',
    targetShape: [8],
    classes: null,
    vocabulary: 256,
  });
});

test('rows may overlap or leave gaps, and be limited', async () => {
  const bytes = [...Buffer.from(text)];
  for (const stride of [1, 3, 20]) {
    using data = await loadTokens(config({ stride, validation: join(folder, 'text.txt'), limit: { validation: 4 } }));
    const expected = windows(bytes, 0, bytes.length, 8, stride);
    expect(rows(data.train, 64)).toEqual(expected);
    expect(rows(data.validation).inputs).toEqual(expected.inputs.slice(0, 4));
  }
});

describe('numbers of tokens', () => {
  const ids = Array.from({ length: 300 }, (_, i) => (i * 7919) % 60_000);

  test.each(['uint16', 'uint32'] as const)('%s', async (format) => {
    const array = format === 'uint16' ? Uint16Array.from(ids) : Uint32Array.from(ids, (id) => 1000 * id);
    const path = await file(`${format}.bin`, new Uint8Array(array.buffer));
    using data = await loadTokens(config({ path, format, context: 16 }));
    expect(rows(data.train)).toEqual(windows([...array], 0, 270, 16));
    expect(data.train.vocabulary).toBe(Math.max(...array) + 1);
    using larger = await loadTokens(config({ path, format, context: 16, vocabularySize: 2 ** 31 }));
    expect(larger.validation.vocabulary).toBe(2 ** 31);
    await expect(loadTokens(config({ path, format, vocabularySize: 1000 }))).rejects.toThrow(
      /expected tokens from 0 to 999, got \d+/,
    );
  });

  test('numbers that no int32 holds, and bytes that are left over', async () => {
    const path = await file('large.bin', new Uint8Array(Uint32Array.of(1, 2 ** 31, ...ids).buffer));
    await expect(loadTokens(config({ path, format: 'uint32' }))).rejects.toThrow(
      'expected tokens from 0 to 2147483647, got 2147483648',
    );
    await expect(
      loadTokens(config({ path: await file('odd.bin', Uint8Array.of(1, 2, 3)), format: 'uint16' })),
    ).rejects.toThrow(/expected whole numbers of 2 bytes in .*, got 3 bytes/);
  });
});

describe('a vocabulary', () => {
  test('lines or JSON', async () => {
    expect(await readVocabulary(await file('v.txt', 'the\r\n \nü\n'))).toEqual(['the', ' ', 'ü']);
    expect(await readVocabulary(await file('v.json', '["a", "\\n", "𝄞"]'))).toEqual(['a', '\n', '𝄞']);
  });

  test.each([
    ['twice.txt', 'a\nb\na\n', /expected a new token as number 2 of .*twice\.txt, got "a" again/],
    ['empty.txt', 'a\n\nb\n', 'as number 1'],
    ['bad.json', '{', 'expected JSON in'],
    ['object.json', '{"a": 1}', 'expected a list of tokens'],
    ['numbers.json', '[1]', 'expected a list of tokens'],
  ])('refuses %s', async (name, content, message) => {
    await expect(readVocabulary(await file(name, content))).rejects.toThrow(message);
  });

  const vocabulary = ['a', 'b', 'ab', 'abc', '𝄞', ' ', 'ü'];
  const cut = (input: string, pieces: number, words = vocabulary, split: 'longest' | 'words' = 'longest'): number[] => {
    const tokeniser = new Tokeniser(words, split, 'a.txt');
    const length = Math.ceil(input.length / pieces);
    const numbers: number[] = [];
    for (let i = 0; i < pieces; i++)
      numbers.push(...tokeniser.push(input.slice(i * length, (i + 1) * length), i === pieces - 1));
    return numbers;
  };

  test('the longest token at each place, whatever pieces the text comes in', () => {
    const input = 'ababcab a𝄞üabc';
    const wanted = [2, 3, 2, 5, 0, 4, 6, 3];
    for (const pieces of [1, 2, 3, 5, 14]) expect([pieces, cut(input, pieces)]).toEqual([pieces, wanted]);
  });

  test('words between white space', () => {
    const words = ['the', 'cat', 'sat', '<unk>'];
    for (const pieces of [1, 3, 7])
      expect(cut('the cat\n sat  the\tdog', pieces, words, 'words')).toEqual([0, 1, 2, 0, 3]);
  });

  test('what is not known is <unk>, or an error with its place', () => {
    expect(cut('ax🙂b', 1, ['a', 'b', '<unk>'])).toEqual([0, 2, 2, 1]);
    expect(() => cut('ab🙂', 2)).toThrow(
      'expected tokens of the vocabulary in a.txt, got "🙂" at character 2 - add it, or <unk>',
    );
    expect(() => cut('a cat', 1, ['a'], 'words')).toThrow('got "cat" at character 2');
  });

  test('a set', async () => {
    const names = [...new Set(text)];
    const path = await file('chars.json', JSON.stringify(names));
    using data = await loadTokens(config({ format: 'vocabulary', vocabulary: path }));
    const ids = [...text].map((each) => names.indexOf(each));
    const cutAt = Math.round(ids.length * 0.9);
    expect(rows(data.train)).toEqual(windows(ids, 0, cutAt, 8));
    expect(rows(data.validation)).toEqual(windows(ids, cutAt, ids.length, 8));
    expect(data.train.vocabulary).toBe(names.length);
    expect(data.fitted.vocabulary).toEqual(names);
    using words = await loadTokens(
      config({
        vocabulary: await file('words.txt', [...new Set(text.trim().split(' '))].join('\n')),
        split: 'words',
        context: 4,
      }),
    );
    expect(words.train.vocabulary).toBe(6);
    await expect(loadTokens(config({ format: 'vocabulary' }))).rejects.toThrow(
      'expected a vocabulary file with format vocabulary, got none',
    );
    await expect(
      loadTokens(config({ path: await file('latin1.txt', Uint8Array.of(65, 0xe4, 66)), vocabulary: path })),
    ).rejects.toThrow(/expected UTF-8 in .*latin1\.txt, got other bytes/);
  });
});

test('shuffled and sharded rows are those of the set', async () => {
  using data = await loadTokens(config());
  const key = deriveKey(rootKey(1), 'tokens');
  const all = rows(data.train).inputs;
  const source = data.train.batches({ batchSize: 6, shuffle: true, key, shard: { rank: 1, size: 4 } });
  const { inputs, targets, indices } = source.at(2);
  expect(indices.length).toBe(2);
  expect(Array.from(inputs.toArray(), Number)).toEqual(Array.from(indices).flatMap((row) => all[row] ?? []));
  inputs.dispose();
  targets.dispose();
});

test('digests are of the tokens', async () => {
  using data = await loadTokens(config());
  using same = await loadTokens(config({ path: await file('copy.txt', text), context: 4 }));
  using other = await loadTokens(config({ path: await file('other.txt', `${text.slice(0, -1)}!`) }));
  expect(same.train.digest).toBe(data.train.digest);
  expect(data.validation.digest).not.toBe(data.train.digest);
  expect([other.train.digest === data.train.digest, other.validation.digest === data.validation.digest]).toEqual([
    true,
    false,
  ]);
});

test.each([
  [{ context: 0 }, 'expected a whole number from 1 as context, got 0'],
  [{ stride: 1.5 }, 'expected a whole number from 1 as stride, got 1.5'],
  [{ context: 5000 }, 'expected at least 5001 tokens in tokens/train, got'],
  [{ validationShare: 1 }, 'expected a validationShare between 0 and 1, got 1'],
  [{ path: 'none.txt' }, 'expected to read none.txt, got nothing there'],
])('refuses %j', async (more, message) => {
  await expect(loadTokens(config(more))).rejects.toThrow(message);
});

test('a file that shrinks, and a set that is disposed', async () => {
  const path = await file('shrinks.txt', text);
  const before = await settledTensors();
  const data = await loadTokens(config({ path }));
  const source = data.train.batches({ batchSize: 4 });
  await truncate(path, 20);
  expect(() => source.at(3)).toThrow(/expected 9 bytes at byte \d+ of .*shrinks\.txt as before, got fewer/);
  data.train.dispose();
  data.train.dispose();
  data.validation.dispose();
  expect(() => source.at(0)).toThrow('got a set that is disposed');
  expect(stats().liveTensors).toBe(before);
});
