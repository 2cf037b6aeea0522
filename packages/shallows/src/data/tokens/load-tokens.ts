import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ShallowsError, shown } from '../../errors.js';
import type { Limit } from '../config.js';
import type { Dataset } from '../dataset.js';
import { unreadable } from '../read-file.js';
import { type DataSplits, dataSplits, sharedDisposal } from '../splits.js';
import { tokenDataset } from './token-dataset.js';
import { fileTokens, memoryTokens, type TokenStore, type TokenWidth } from './token-store.js';
import { readVocabulary, Tokeniser, type TokenSplit } from './vocabulary.js';

/** Text, or numbers of tokens, of which the next one is learnt. */
export interface TokensConfig {
  readonly kind: 'tokens';
  readonly path: string;
  /** Another file; where there is none, the last `validationShare` of the tokens validates. */
  readonly validation?: string | undefined;
  readonly validationShare?: number | undefined;
  /** What the file holds: bytes, which are the tokens; text, cut by a vocabulary; or little-endian numbers of tokens. */
  readonly format?: 'bytes' | 'vocabulary' | 'uint16' | 'uint32' | undefined;
  /** With format `vocabulary`: the file of tokens. */
  readonly vocabulary?: string | undefined;
  readonly split?: TokenSplit | undefined;
  /** With format `uint16` or `uint32`: how many different tokens there are; the largest number and one unless given. */
  readonly vocabularySize?: number | undefined;
  /** Tokens of a row, T. */
  readonly context: number;
  /** Tokens from the start of one row to that of the next; T unless given. */
  readonly stride?: number | undefined;
  readonly limit?: Limit | undefined;
}

const fn = 'loadData';

/** Reads or opens the tokens of a configuration. Bytes and numbers stay in their file; text that a vocabulary cuts is held as int32. */
export async function loadTokens(config: TokensConfig): Promise<DataSplits> {
  const { path, validation, validationShare = 0.1, context, stride = context, limit = {} } = config;
  const format = config.format ?? (config.vocabulary === undefined ? 'bytes' : 'vocabulary');
  const names = format === 'vocabulary' ? await vocabularyOf(config) : null;
  const stores: TokenStore[] = [];
  try {
    const open = async (file: string): Promise<TokenStore> => {
      const store =
        names === null ? await openNumbers(file, format) : await tokenise(file, names, config.split ?? 'longest');
      stores.push(store);
      return store;
    };
    const first = await open(path);
    const second = validation === undefined ? first : await open(validation);
    if (validation === undefined && !(validationShare > 0 && validationShare < 1))
      throw new ShallowsError(
        `${fn}: expected a validationShare between 0 and 1, got ${shown(validationShare)} - 0.1 is usual`,
      );
    const cut = validation === undefined ? Math.round(first.length * (1 - validationShare)) : first.length;
    const parts = [
      { part: 'train', store: first, from: 0, to: cut },
      { part: 'validation', store: second, from: second === first ? cut : 0, to: second.length },
    ] as const;
    const looks = parts.map(({ store, from, to }) => look(store, from, to, format));
    const vocabulary = vocabularySize(config, names, format, Math.max(...looks.map(({ most }) => most)));
    const disposals = sharedDisposal(2, () => {
      for (const store of stores) store.dispose();
    });
    const [train, held] = parts.map(({ part, store, from, to }, i): Dataset => {
      const rows = limit[part];
      return tokenDataset({
        name: `tokens/${part}`,
        store,
        dispose: disposals[i] ?? (() => {}),
        from,
        to,
        context,
        stride,
        vocabulary,
        digest: looks[i]?.digest ?? '',
        ...(rows === undefined ? {} : { limit: rows }),
      });
    }) as [Dataset, Dataset];
    return dataSplits(train, held, { format, vocabulary: names ?? vocabulary, context });
  } catch (error) {
    for (const store of stores) store.dispose();
    throw error;
  }
}

async function vocabularyOf({ vocabulary }: TokensConfig): Promise<readonly string[]> {
  if (vocabulary !== undefined) return readVocabulary(vocabulary);
  throw new ShallowsError(`${fn}: expected a vocabulary file with format vocabulary, got none - name it`);
}

async function openNumbers(path: string, format: 'bytes' | 'vocabulary' | 'uint16' | 'uint32'): Promise<TokenStore> {
  const width: TokenWidth = format === 'uint16' ? 2 : format === 'uint32' ? 4 : 1;
  let size: number;
  try {
    size = (await stat(path)).size;
  } catch (error) {
    throw unreadable(fn, path, error, 'check the path');
  }
  if (size % width !== 0)
    throw new ShallowsError(
      `${fn}: expected whole numbers of ${width} bytes in ${path}, got ${size} bytes - check the format`,
    );
  return fileTokens(path, width, size / width);
}

async function tokenise(path: string, vocabulary: readonly string[], split: TokenSplit): Promise<TokenStore> {
  const tokeniser = new Tokeniser(vocabulary, split, path);
  let ids = new Int32Array(1 << 16);
  let length = 0;
  const add = (numbers: readonly number[]): void => {
    while (length + numbers.length > ids.length) {
      const larger = new Int32Array(2 * ids.length);
      larger.set(ids);
      ids = larger;
    }
    ids.set(numbers, length);
    length += numbers.length;
  };
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    for await (const piece of createReadStream(path))
      add(tokeniser.push(decoder.decode(piece, { stream: true }), false));
    add(tokeniser.push(decoder.decode(), true));
  } catch (error) {
    if (error instanceof ShallowsError) throw error;
    if (!(error instanceof TypeError)) throw unreadable(fn, path, error, 'check the path');
    throw new ShallowsError(`${fn}: expected UTF-8 in ${path}, got other bytes - convert it, or write format: bytes`, {
      cause: error,
    });
  }
  return memoryTokens(ids.slice(0, length));
}

/** The digest of a part of the tokens, and the largest of them. */
function look(store: TokenStore, from: number, to: number, format: string): { digest: string; most: number } {
  const hash = createHash('sha256').update(`${JSON.stringify({ task: 'language', format, tokens: to - from })}\n`);
  let most = 0;
  for (const bytes of store.bytes(from, to)) {
    hash.update(bytes);
    if (format !== 'uint16' && format !== 'uint32') continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [width, read] =
      format === 'uint16'
        ? [2, (at: number) => view.getUint16(at, true)]
        : [4, (at: number) => view.getUint32(at, true)];
    for (let at = 0; at < bytes.length; at += width) most = Math.max(most, read(at));
  }
  return { digest: hash.digest('hex'), most };
}

function vocabularySize(config: TokensConfig, names: readonly string[] | null, format: string, most: number): number {
  if (names !== null) return names.length;
  if (format === 'bytes') return 256;
  const size = config.vocabularySize ?? most + 1;
  if (most < size && size <= 2 ** 31) return size;
  throw new ShallowsError(
    `${fn}: expected tokens from 0 to ${Math.min(size, 2 ** 31) - 1}, got ${most} - correct vocabularySize or the format`,
  );
}
