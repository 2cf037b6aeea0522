export { type ArrayDatasetOptions, arrayDataset } from './array-dataset.js';
export { type AffineMatrix, type AffineSteps, applyAffine, inverseAffine } from './augment/affine.js';
export type { Box, Range } from './augment/boxes.js';
export { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './augment/colour.js';
export {
  applyColourJitter,
  type ColourDraws,
  type ColourJitterSettings,
  drawColourJitter,
} from './augment/colour-jitter.js';
export { applyAugmentation, type Draws, drawAugmentation } from './augment/crop-flip.js';
export {
  applyRandAugment,
  drawRandAugment,
  type RandAugmentDraw,
  type RandAugmentName,
  type RandAugmentSettings,
  randAugmentMagnitude,
  randAugmentNames,
} from './augment/rand-augment.js';
export { applyErasing, drawErasing, type RandomErasingSettings } from './augment/random-erasing.js';
export { applyResizedCrops, drawResizedCrops, type ResizedCropSettings } from './augment/resized-crop.js';
export { adjustSharpness, autoContrast, equalize, posterize, solarize } from './augment/tone.js';
export { batches } from './batches.js';
export type {
  Augmentation,
  CifarConfig,
  DataConfig,
  FolderConfig,
  IdxConfig,
  ImageConfig,
  Limit,
  TexturesConfig,
} from './config.js';
export type { Batch, BatchOptions, BatchSource, Dataset, Shard, TaskKind } from './dataset.js';
export { type Cifar100Options, type CifarTables, readCifar10, readCifar100 } from './images/cifar.js';
export { type FolderOptions, type FolderTables, readFolder } from './images/folder.js';
export { type IdxArray, readIdx, readIdxTable } from './images/idx.js';
export { contentDigest, type ImageDataset, type ImageDatasetOptions, imageDataset } from './images/image-dataset.js';
export { channelStatistics, type Normalisation } from './images/normalisation.js';
export { type LoadOptions, loadData } from './load.js';
export type { ArraysConfig, NpyConfig, NpzConfig } from './numpy/arrays-config.js';
export type { NumpyDType, NumpyValues } from './numpy/dtypes.js';
export { type NumpyArray, readNpy } from './numpy/npy.js';
export { readNpz } from './numpy/npz.js';
export { type NumpySource, npyBytes, writeNpy } from './numpy/write-npy.js';
export type { SeriesConfig } from './series/load-series.js';
export { type SeasonalConfig, type SeasonalOptions, seasonal } from './series/seasonal.js';
export { type Series, seriesWindows, type WindowOptions } from './series/windows.js';
export { type Split, splitByHash } from './split.js';
export type { DataSplits, ImageSplits } from './splits.js';
export { type ImageTable, joinTables, sliceTable } from './table.js';
export { type FriedmanConfig, type FriedmanOptions, friedman } from './tabular/friedman.js';
export {
  type CategoryColumn,
  type ColumnTable,
  type ReadCsvOptions,
  type ReadTableOptions,
  readCsv,
  readParquet,
} from './tabular/read-table.js';
export type { ColumnChoice } from './tabular/roles.js';
export type { MissingPolicy } from './tabular/survey.js';
export type { CsvConfig, ParquetConfig, TableConfig } from './tabular/table-config.js';
export { type TexturesOptions, textureClasses, textures } from './textures/textures.js';
export type { TokensConfig } from './tokens/load-tokens.js';
export { readVocabulary, type TokenSplit } from './tokens/vocabulary.js';
