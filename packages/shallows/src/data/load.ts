import { deriveKey, type Key, rootKey } from '../random/index.js';
import type { DataConfig, ImageConfig } from './config.js';
import { streamFolder } from './images/folder-stream.js';
import { loadImages } from './images/load-images.js';
import { loadArrays } from './numpy/load-arrays.js';
import { requireLimit } from './requirements.js';
import { loadSeries } from './series/load-series.js';
import { generateSeasonal } from './series/seasonal.js';
import type { DataSplits, ImageSplits } from './splits.js';
import { generateFriedman } from './tabular/friedman.js';
import { loadTable } from './tabular/load-table.js';
import { loadTokens } from './tokens/load-tokens.js';

/** Options of {@link loadData}. */
export interface LoadOptions {
  /** Key of generated sets; left out, they are always the same, so that runs with different seeds can be compared. */
  readonly key?: Key;
}

/**
 * Reads or generates the training and the validation set that a configuration describes.
 *
 * @throws ShallowsError that names the file, and the byte offset, row or column where its content is wrong
 */
export function loadData(config: ImageConfig, options?: LoadOptions): Promise<ImageSplits>;
export function loadData(config: DataConfig, options?: LoadOptions): Promise<DataSplits>;
export async function loadData(config: DataConfig, { key = rootKey(0) }: LoadOptions = {}): Promise<DataSplits> {
  requireLimit(config.limit);
  switch (config.kind) {
    case 'csv':
    case 'parquet':
      return loadTable(config);
    case 'npy':
    case 'npz':
      return loadArrays(config);
    case 'tokens':
      return loadTokens(config);
    case 'series':
      return loadSeries(config);
    case 'seasonal':
      return generateSeasonal(config, deriveKey(key, 'seasonal'));
    case 'friedman':
      return generateFriedman(config, deriveKey(key, 'friedman'));
    case 'folder':
      return config.stream === true ? streamFolder(config) : loadImages(config, key);
    default:
      return loadImages(config, key);
  }
}
