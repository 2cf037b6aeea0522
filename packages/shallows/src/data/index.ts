export { applyAugmentation, type Draws, drawAugmentation } from './augment.js';
export { type Batch, type BatchOptions, type BatchSource, batches } from './batches.js';
export { type Cifar100Options, type CifarTables, readCifar10, readCifar100 } from './cifar.js';
export type {
  Augmentation,
  CifarConfig,
  DataConfig,
  FolderConfig,
  IdxConfig,
  Limit,
  TexturesConfig,
} from './config.js';
export { contentDigest, type ImageDataset, imageDataset } from './dataset.js';
export { type FolderOptions, type FolderTables, readFolder } from './folder.js';
export { type IdxArray, readIdx, readIdxTable } from './idx.js';
export { type DataSplits, type LoadOptions, loadData } from './load.js';
export { channelStatistics, type Normalisation } from './normalisation.js';
export { type ImageTable, joinTables, sliceTable } from './table.js';
export { type TexturesOptions, textureClasses, textures } from './textures/textures.js';
