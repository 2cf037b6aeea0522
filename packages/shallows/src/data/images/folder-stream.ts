import { createHash } from 'node:crypto';
import { fromBytes, scope } from '@shallows/torch';
import type { FolderConfig } from '../config.js';
import type { BatchOptions, Dataset } from '../dataset.js';
import { readBytes } from '../read-file.js';
import { hashSide, requireBothSides } from '../split.js';
import { type DataSplits, dataSplits } from '../splits.js';
import { pictureBatches } from '../stream/picture-batches.js';
import { Threads } from '../stream/threads.js';
import { requireShare } from './folder.js';
import { inParallel } from './in-parallel.js';
import { channelHistograms, type Normalisation, statisticsOf } from './normalisation.js';
import { listPictures, type Picture } from './picture-list.js';
import { readPictures } from './read-pictures.js';

const fn = 'readFolder';
/** Files that are read at a time. */
const atATime = 16;
/** How many of the first training pictures, which are a fair sample, mean and deviation are taken from. */
const sampled = 2048;
/** Pictures that are decoded together for it. */
const blockOfSample = 32;

/** A picture with the SHA-256 of its file. */
interface Known extends Picture {
  readonly hash: Buffer;
}

/**
 * The pictures of a folder, decoded when batches need them: each file is read once for its digest, and 2,048 training
 * pictures are decoded for mean and deviation; nothing else is held.
 *
 * @throws ShallowsError as `readFolder`
 */
export async function streamFolder({
  path,
  size = 32,
  validationShare = 0.2,
  limit = {},
}: FolderConfig): Promise<DataSplits> {
  requireShare(validationShare);
  const lists = await listPictures(path);
  const keep = <T>(pictures: readonly T[], most = pictures.length): readonly T[] => pictures.slice(0, most);
  let train: readonly Known[];
  let validation: readonly Known[];
  if (lists.validation === null) {
    const side = hashSide(validationShare);
    const validates: boolean[] = [];
    const known = await identify(lists.train, (bytes, i) => {
      validates[i] = side(bytes);
    });
    train = known.filter((_, i) => validates[i] !== true);
    validation = known.filter((_, i) => validates[i] === true);
    requireBothSides(fn, { train: train.length, validation: validation.length }, path);
    train = keep(train, limit.train);
    validation = keep(validation, limit.validation);
  } else {
    train = await identify(keep(lists.train, limit.train));
    validation = await identify(keep(lists.validation, limit.validation));
  }
  const normalisation = await sampleStatistics(train, size);
  const open = (name: string, pictures: readonly Known[]): Dataset =>
    streamedPictures({ name, pictures, size, classes: lists.classes, normalisation });
  const { mean, std } = normalisation;
  return dataSplits(open('folder/train', train), open('folder/validation', validation), { mean, std, size });
}

async function identify(
  pictures: readonly Picture[],
  look: (bytes: Uint8Array, i: number) => void = () => {},
): Promise<Known[]> {
  const known: Known[] = [];
  await inParallel(pictures, atATime, async (picture, i) => {
    const bytes = await readBytes(fn, picture.file, 'check its permissions');
    look(bytes, i);
    known[i] = { ...picture, hash: createHash('sha256').update(bytes).digest() };
  });
  return known;
}

async function sampleStatistics(pictures: readonly Picture[], size: number): Promise<Normalisation> {
  const read = readPictures(size);
  const blocks: number[][][] = [];
  const end = Math.min(sampled, pictures.length);
  for (let start = 0; start < end; start += blockOfSample) {
    const files = pictures.slice(start, Math.min(end, start + blockOfSample)).map(({ file }) => file);
    const { inputs } = await read({ number: start, files });
    blocks.push(
      scope(() => channelHistograms(fromBytes(new Uint8Array(inputs.buffer), 'uint8', [files.length, 3, size, size]))),
    );
  }
  const total = (channel: number, value: number): number =>
    blocks.reduce((sum, histograms) => sum + (histograms[channel]?.[value] ?? 0), 0);
  const histograms = [0, 1, 2].map((channel) => Array.from({ length: 256 }, (_, value) => total(channel, value)));
  return statisticsOf(histograms);
}

interface StreamedPictures {
  readonly name: string;
  readonly pictures: readonly Known[];
  readonly size: number;
  readonly classes: readonly string[];
  readonly normalisation: Normalisation;
}

function streamedPictures({ name, pictures, size, classes, normalisation }: StreamedPictures): Dataset {
  const threads = new Threads({ kind: 'pictures', size });
  const files = pictures.map(({ file }) => file);
  const labels = Int32Array.from(pictures, ({ label }) => label);
  const shape = [3, size, size] as const;
  const classCounts = classes.map(() => 0);
  for (const label of labels) classCounts[label] = (classCounts[label] ?? 0) + 1;
  const readHere = readPictures(size);
  const dispose = (): void => void threads.close();
  return Object.freeze({
    name,
    task: 'classification',
    size: pictures.length,
    digest: encodedDigest(pictures, classes, size),
    inputShape: shape,
    inputDtype: 'float32',
    targetShape: Object.freeze([]),
    classes: Object.freeze([...classes]),
    classCounts: Object.freeze(classCounts),
    vocabulary: null,
    segmentCounts: null,
    batches: (options: BatchOptions) =>
      pictureBatches({ files, labels, shape, normalisation, threads, readHere }, options),
    dispose,
    [Symbol.dispose]: dispose,
  });
}

/** SHA-256 of a header line (shape, class names), then for each picture the SHA-256 of its file and its class as little-endian int32. */
function encodedDigest(pictures: readonly Known[], classes: readonly string[], size: number): string {
  const hash = createHash('sha256');
  hash.update(`${JSON.stringify({ files: [pictures.length, 3, size, size], classes })}\n`);
  const label = Buffer.alloc(4);
  for (const picture of pictures) {
    label.writeInt32LE(picture.label);
    hash.update(picture.hash).update(label);
  }
  return hash.digest('hex');
}
