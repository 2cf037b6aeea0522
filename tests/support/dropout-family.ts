import { arange, type Tensor } from '@shallows/torch';
import {
  AlphaDropout,
  alphaDropout,
  DropBlock2d,
  DropConnect,
  Dropout,
  Dropout1d,
  Dropout2d,
  Dropout3d,
  type DropoutModule,
  dropBlock2d,
  dropConnect,
  dropout,
  dropout1d,
  dropout2d,
  dropout3d,
  EmbeddingDropout,
  embeddingDropout,
  FeatureAlphaDropout,
  featureAlphaDropout,
  GaussianDropout,
  gaussianDropout,
  LockedDropout,
  lockedDropout,
} from 'shallows/dropout';
import type { Pass } from 'shallows/nn';

/** A dropout as a module and as a function, and what its tests need to know of it. */
export interface Member {
  readonly kind: string;
  /** An input of a few hundred numbers. */
  readonly shape: readonly number[];
  /** An input with so many decisions, and how many numbers each decision is about. */
  readonly many: (decisions: number) => { readonly shape: readonly number[]; readonly each: number };
  readonly make: (rate: number, name?: string) => DropoutModule<never>;
  readonly run: (module: DropoutModule<never>, x: Tensor, pass: Pass) => Tensor;
  readonly call: (x: Tensor, p: number, pass: Pass, name: string) => Tensor;
  /** What it is a mask of: the dimensions of `y` along which one decision holds. */
  readonly shared: readonly number[];
  /** Factor on what is kept, where that is all there is to it. */
  readonly scale: ((rate: number) => number) | null;
  /** Whether numbers are selected away, and each row has a mask of its own. */
  readonly drops: boolean;
  readonly rows: boolean;
}

const inverted = (rate: number): number => 1 / (1 - rate);
const options = (name: string | undefined) => (name === undefined ? {} : { name });

function unary<M extends DropoutModule>(
  member: Omit<Member, 'run' | 'make'> & { readonly make: (rate: number, name?: string) => M },
): Member {
  return { ...member, run: (module, x, pass) => (module as unknown as M).forward(x, pass) };
}

const elements = (decisions: number) => ({ shape: [decisions / 100, 100], each: 1 });
/** One text in which each word stands once. */
const words = (x: Tensor): Tensor => {
  const [batch = 1, tokens = 1] = x.shape;
  return arange(tokens, { dtype: 'int64' }).unsqueeze(0).expand([batch, tokens]);
};
const ENTRIES = 40_000;

/** Every member that draws masks or noise for one tensor. */
export const family: readonly Member[] = [
  unary({
    kind: 'dropout',
    shape: [6, 50],
    many: elements,
    make: (rate, name) => new Dropout(rate, options(name)),
    call: (x, p, pass, name) => dropout(x, p, pass, { name }),
    shared: [],
    scale: inverted,
    drops: true,
    rows: true,
  }),
  unary({
    kind: 'dropout1d',
    shape: [6, 25, 2],
    many: (decisions) => ({ shape: [decisions / 100, 100, 3], each: 3 }),
    make: (rate, name) => new Dropout1d(rate, options(name)),
    call: (x, p, pass, name) => dropout1d(x, p, pass, { name }),
    shared: [2],
    scale: inverted,
    drops: true,
    rows: true,
  }),
  unary({
    kind: 'dropout2d',
    shape: [6, 25, 2, 3],
    many: (decisions) => ({ shape: [decisions / 100, 100, 2, 2], each: 4 }),
    make: (rate, name) => new Dropout2d(rate, options(name)),
    call: (x, p, pass, name) => dropout2d(x, p, pass, { name }),
    shared: [2, 3],
    scale: inverted,
    drops: true,
    rows: true,
  }),
  unary({
    kind: 'dropout3d',
    shape: [6, 25, 2, 1, 3],
    many: (decisions) => ({ shape: [decisions / 100, 100, 2, 1, 2], each: 4 }),
    make: (rate, name) => new Dropout3d(rate, options(name)),
    call: (x, p, pass, name) => dropout3d(x, p, pass, { name }),
    shared: [2, 3, 4],
    scale: inverted,
    drops: true,
    rows: true,
  }),
  unary({
    kind: 'alpha-dropout',
    shape: [6, 50],
    many: elements,
    make: (rate, name) => new AlphaDropout(rate, options(name)),
    call: (x, p, pass, name) => alphaDropout(x, p, pass, { name }),
    shared: [],
    scale: null,
    drops: true,
    rows: true,
  }),
  unary({
    kind: 'feature-alpha-dropout',
    shape: [6, 25, 3],
    many: (decisions) => ({ shape: [decisions / 100, 100, 3], each: 3 }),
    make: (rate, name) => new FeatureAlphaDropout(rate, options(name)),
    call: (x, p, pass, name) => featureAlphaDropout(x, p, pass, { name }),
    shared: [2],
    scale: null,
    drops: true,
    rows: true,
  }),
  unary({
    kind: 'gaussian-dropout',
    shape: [6, 50],
    many: elements,
    make: (rate, name) => new GaussianDropout(rate, options(name)),
    call: (x, p, pass, name) => gaussianDropout(x, p, pass, { name }),
    shared: [],
    scale: null,
    drops: false,
    rows: true,
  }),
  unary({
    kind: 'drop-block2d',
    shape: [6, 5, 7, 6],
    many: (decisions) => ({ shape: [decisions / 100, 100, 5, 5], each: 25 }),
    make: (rate, name) => new DropBlock2d(rate, { ...options(name), blockSize: 3 }),
    call: (x, p, pass, name) => dropBlock2d(x, p, pass, { name, blockSize: 3 }),
    shared: [],
    scale: null,
    drops: true,
    rows: true,
  }),
  unary({
    kind: 'locked-dropout',
    shape: [6, 3, 30],
    many: (decisions) => ({ shape: [decisions / 100, 3, 100], each: 3 }),
    make: (rate, name) => new LockedDropout(rate, options(name)),
    call: (x, p, pass, name) => lockedDropout(x, p, pass, { name }),
    shared: [1],
    scale: inverted,
    drops: true,
    rows: true,
  }),
  unary<DropConnect>({
    kind: 'drop-connect',
    shape: [6, 50],
    many: elements,
    make: (rate, name) => new DropConnect(rate, options(name)),
    call: (x, p, pass, name) => dropConnect(x, p, pass, { name }),
    shared: [],
    scale: inverted,
    drops: true,
    rows: false,
  }),
  {
    kind: 'embedding-dropout',
    shape: [6, 25, 2],
    many: (decisions) => ({ shape: [1, decisions, 2], each: 2 }),
    make: (rate, name) => new EmbeddingDropout(ENTRIES, rate, options(name)),
    run: (module, x, pass) => (module as unknown as EmbeddingDropout).forward(x, words(x), pass),
    call: (x, p, pass, name) => embeddingDropout(x, words(x), p, pass, { name, entries: ENTRIES }),
    shared: [2],
    scale: inverted,
    drops: true,
    rows: true,
  },
];
