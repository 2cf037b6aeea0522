import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, type Key } from '../../random/index.js';
import type { CifarConfig, FolderConfig, ImageConfig, TexturesConfig } from '../config.js';
import { dataSplits, type ImageSplits } from '../splits.js';
import { type ImageTable, sliceTable } from '../table.js';
import { textureClasses, textures } from '../textures/textures.js';
import { readCifar10, readCifar100 } from './cifar.js';
import { readFolder } from './folder.js';
import { readIdxTable } from './idx.js';
import { imageDataset } from './image-dataset.js';

interface Tables {
  readonly train: ImageTable;
  readonly validation: ImageTable;
  readonly classes: readonly string[];
}

/** Reads or generates pictures into memory. Both sets are normalised by mean and deviation of the training pictures. */
export async function loadImages(config: ImageConfig | FolderConfig, key: Key): Promise<ImageSplits> {
  const { kind, limit = {} } = config;
  const tables = await readTables(config, key);
  if (tables.train.shape.join() !== tables.validation.shape.join()) {
    const [a, b] = [tables.train.shape.join(', '), tables.validation.shape.join(', ')];
    throw new ShallowsError(
      `loadData: expected training and validation pictures of one shape, got [${a}] and [${b}] - resize them`,
    );
  }
  const train = imageDataset(`${kind}/train`, firstRows(tables.train, limit.train), tables.classes);
  const { normalisation } = train;
  const validation = imageDataset(
    `${kind}/validation`,
    firstRows(tables.validation, limit.validation),
    tables.classes,
    {
      normalisation,
    },
  );
  const { mean, std } = normalisation;
  return Object.freeze({ ...dataSplits(train, validation, { mean, std }), mean, std });
}

async function readTables(config: ImageConfig | FolderConfig, key: Key): Promise<Tables> {
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

function firstRows(table: ImageTable, limit = table.labels.length): ImageTable {
  return limit >= table.labels.length ? table : sliceTable(table, 0, limit);
}
