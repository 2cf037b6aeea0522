import type { NpyConfig, NpzConfig } from './numpy/arrays-config.js';
import type { SeriesConfig } from './series/load-series.js';
import type { SeasonalConfig } from './series/seasonal.js';
import type { FriedmanConfig } from './tabular/friedman.js';
import type { CsvConfig, ParquetConfig } from './tabular/table-config.js';
import type { TokensConfig } from './tokens/load-tokens.js';

/** What is done to the pictures of a training batch, at random: each key by itself, in the order in which they stand here. */
export interface Augmentation {
  /** Keeps a random part and brings it back to the size of the picture. */
  readonly randomResizedCrop?:
    | {
        /** Least and largest share of the area that is kept; 0.08 to 1 unless given. */
        readonly scale?: readonly [number, number] | undefined;
        /** Least and largest width over height; 3/4 to 4/3 unless given. */
        readonly ratio?: readonly [number, number] | undefined;
      }
    | undefined;
  /** Changes brightness, contrast and saturation by factors from max(0, 1 − x) to 1 + x, and the hue by up to a share x of the circle. */
  readonly colourJitter?:
    | {
        readonly brightness?: number | undefined;
        readonly contrast?: number | undefined;
        readonly saturation?: number | undefined;
        /** At most 0.5. */
        readonly hue?: number | undefined;
      }
    | undefined;
  /** Makes some of fourteen changes of one strength. */
  readonly randAugment?:
    | {
        /** Changes of a picture; 2 unless given. */
        readonly operations?: number | undefined;
        /** From 0 to `bins` − 1; 9 unless given. */
        readonly magnitude?: number | undefined;
        /** 31 unless given. */
        readonly bins?: number | undefined;
      }
    | undefined;
  /** Pads each side with zeros (of the normalised picture), then crops the original size at a random place. */
  readonly crop?: { readonly padding: number } | undefined;
  /** Mirrors half of the pictures left to right. */
  readonly flip?: boolean | undefined;
  /** Erases a random part of some pictures, after normalisation. */
  readonly randomErasing?:
    | {
        /** Share of the pictures; 0.5 unless given. */
        readonly probability?: number | undefined;
        /** Least and largest share of the area; 0.02 to 0.33 unless given. */
        readonly scale?: readonly [number, number] | undefined;
        /** Least and largest height over width; 0.3 to 3.3 unless given. */
        readonly ratio?: readonly [number, number] | undefined;
        /** What stands there then; 0 unless given, `noise` for standard normal noise. */
        readonly value?: number | 'noise' | undefined;
      }
    | undefined;
}

/** Keeps only the first rows of the sets. */
export interface Limit {
  readonly train?: number | undefined;
  readonly validation?: number | undefined;
}

interface Common {
  readonly limit?: Limit | undefined;
  readonly augment?: Augmentation | undefined;
}

/** The binary version of CIFAR-10 or CIFAR-100: a folder with the files of the official archive. */
export interface CifarConfig extends Common {
  readonly kind: 'cifar10' | 'cifar100';
  readonly path: string;
  /** `'test'` (or 0): the test batch. N: the last N training rows, which then do not train. */
  readonly validation?: number | 'test' | undefined;
  /** CIFAR-100 alone: 100 fine classes or 20 coarse ones. */
  readonly labels?: 'fine' | 'coarse' | undefined;
}

/** Files in the IDX format of MNIST and its relatives, plain or gzip. */
export interface IdxConfig extends Common {
  readonly kind: 'idx';
  readonly images: string;
  readonly labels: string;
  readonly testImages: string;
  readonly testLabels: string;
}

/** A folder of pictures with one sub-folder a class. */
export interface FolderConfig extends Common {
  readonly kind: 'folder';
  readonly path: string;
  /** Height and width in pixels that each picture is brought to. */
  readonly size?: number | undefined;
  /** Where there is no folder `train`: the share of the pictures that validate, chosen by their content. */
  readonly validationShare?: number | undefined;
  /** Whether pictures are decoded when batches need them, instead of all at once before training. */
  readonly stream?: boolean | undefined;
}

/** The generated set: see `textures`. */
export interface TexturesConfig extends Common {
  readonly kind: 'textures';
  readonly train: number;
  readonly validation: number;
  /** Share of wrong training labels; validation labels are all right. */
  readonly noise?: number | undefined;
  readonly size?: number | undefined;
}

/** Pictures that are held in memory. */
export type ImageConfig =
  | CifarConfig
  | IdxConfig
  | TexturesConfig
  | (FolderConfig & { readonly stream?: false | undefined });

/** Which data to read or generate. */
export type DataConfig =
  | ImageConfig
  | FolderConfig
  | CsvConfig
  | ParquetConfig
  | NpyConfig
  | NpzConfig
  | TokensConfig
  | SeriesConfig
  | SeasonalConfig
  | FriedmanConfig;
