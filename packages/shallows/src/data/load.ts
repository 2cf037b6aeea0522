import { ShallowsError, shown } from '../errors.js';
import { deriveKey, type Key, rootKey } from '../random/index.js';
import { readCifar10, readCifar100 } from './cifar.js';
import type { CifarConfig, DataConfig, TexturesConfig } from './config.js';
import { type ImageDataset, imageDataset } from './dataset.js';
import { readFolder } from './folder.js';
import { readIdxTable } from './idx.js';
import { channelStatistics } from './normalisation.js';
import { type ImageTable, sliceTable } from './table.js';
import { textureClasses, textures } from './textures/textures.js';

/** What a run learns from and what it is judged by. */
export interface DataSplits {
  readonly train: ImageDataset;
  readonly validation: ImageDataset;
  /** Mean of v / 255 in each channel of the training pictures. */
  readonly mean: readonly number[];
  /** Their standard deviation. */
  readonly std: readonly number[];
  /** Frees both sets. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Options of {@link loadData}. */
export interface LoadOptions {
  /** Key of generated sets; left out, they are always the same, so that runs with different seeds can be compared. */
  readonly key?: Key;
}

interface Tables {
  readonly train: ImageTable;
  readonly validation: ImageTable;
  readonly classes: readonly string[];
}

/**
 * Reads or generates the training and the validation set that a configuration describes.
 *
 * @throws ShallowsError that names the file, and the byte offset where its content is wrong
 */
export async function loadData(config: DataConfig, { key = rootKey(0) }: LoadOptions = {}): Promise<DataSplits> {
  const { kind, limit = {} } = config;
  const tables = await readTables(config, key);
  if (tables.train.shape.join() !== tables.validation.shape.join()) {
    const [a, b] = [tables.train.shape.join(', '), tables.validation.shape.join(', ')];
    throw new ShallowsError(
      `loadData: expected training and validation pictures of one shape, got [${a}] and [${b}] - resize them`,
    );
  }
  const train = imageDataset(`${kind}/train`, firstRows('train', tables.train, limit.train), tables.classes);
  const validation = imageDataset(
    `${kind}/validation`,
    firstRows('validation', tables.validation, limit.validation),
    tables.classes,
  );
  const dispose = (): void => {
    train.dispose();
    validation.dispose();
  };
  return Object.freeze({ train, validation, ...channelStatistics(train.images), dispose, [Symbol.dispose]: dispose });
}

async function readTables(config: DataConfig, key: Key): Promise<Tables> {
  switch (config.kind) {
    case 'cifar10':
    case 'cifar100':
      return readCifar(config);
    case 'idx': {
      const train = await readIdxTable(config.images, config.labels);
      const validation = await readIdxTable(config.testImages, config.testLabels);
      const labels = [train, validation].map((table) => table.labels.reduce((most, label) => Math.max(most, label), 0));
      return {
        train,
        validation,
        classes: Array.from({ length: 1 + Math.max(...labels) }, (_, label) => String(label)),
      };
    }
    case 'folder': {
      const { path, size = 32, validationShare = 0.2 } = config;
      return readFolder(path, { size, validationShare });
    }
    case 'textures':
      return generate(config, deriveKey(key, 'textures'));
  }
}

async function readCifar({ kind, path, validation = 'test', labels = 'fine' }: CifarConfig): Promise<Tables> {
  const { train, test, classes } = kind === 'cifar10' ? await readCifar10(path) : await readCifar100(path, { labels });
  if (validation === 'test' || validation === 0) return { train, validation: test, classes };
  const rows = train.labels.length;
  if (!Number.isSafeInteger(validation) || validation < 0 || validation >= rows) {
    throw new ShallowsError(
      `loadData: expected 'test' or fewer than the ${rows} training rows of ${path} as validation, got ${shown(validation)} - ` +
        'leave rows to train with',
    );
  }
  const split = rows - validation;
  return { train: sliceTable(train, 0, split), validation: sliceTable(train, split, rows), classes };
}

function generate({ train, validation, noise = 0, size = 32 }: TexturesConfig, key: Key): Tables {
  return {
    train: textures({ key: deriveKey(key, 'train'), count: train, noise, size }),
    validation: textures({ key: deriveKey(key, 'validation'), count: validation, size }),
    classes: textureClasses,
  };
}

function firstRows(name: string, table: ImageTable, limit = Number.MAX_SAFE_INTEGER): ImageTable {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new ShallowsError(
      `loadData: expected a whole number from 1 as limit.${name}, got ${shown(limit)} - leave it out for all`,
    );
  }
  return limit >= table.labels.length ? table : sliceTable(table, 0, limit);
}
