/** What is done to the pictures of a training batch, at random. */
export interface Augmentation {
  /** Pads each side with zeros (of the normalised picture), then crops the original size at a random place. */
  readonly crop?: { readonly padding: number } | undefined;
  /** Mirrors half of the pictures left to right. */
  readonly flip?: boolean | undefined;
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

/** Which data to read or generate. */
export type DataConfig = CifarConfig | IdxConfig | FolderConfig | TexturesConfig;
