import { type DType, fromTypedArray, Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import type { Pass } from '../../nn/pass.js';
import { passOfRows } from '../../nn/row-keys.js';
import type { ResidualBlock } from '../policy/site.js';
import { runBranch } from '../residual/run-branch.js';
import { type Rows, rowFlags } from './rows.js';

const add = new Operator('aten::add', 'Tensor');
const narrow = new Operator('aten::narrow');
const indexSelect = new Operator('aten::index_select');
const forkWindow = new Operator('shallows::fork_window');
const forkRows = new Operator('shallows::fork_rows');
const joinWindow = new Operator('shallows::join_window');
const joinRows = new Operator('shallows::join_rows');
const joinMask = new Operator('shallows::join_mask');

/** What a block is run on. */
export interface Partial {
  readonly x: Tensor;
  readonly pass: Pass;
  readonly extras: readonly (Tensor | null)[];
}

const halves: readonly DType[] = ['bfloat16', 'float16'];

/**
 * `shortcut + scale · branch` in one native call; a scale of 1 leaves no trace, so that network is the plain one. In half
 * precision libtorch would round the scale before it multiplies: there the product is formed in float32.
 */
export function addBranch(shortcut: Tensor, branch: Tensor, scale: number): Tensor {
  if (scale === 1) return add.call([shortcut, branch]) as Tensor;
  if (halves.includes(branch.dtype)) return joinWindow.call([shortcut, branch, 0, scale]) as Tensor;
  return add.call([shortcut, branch], { alpha: scale }) as Tensor;
}

/** `relu(shortcut + scale · branch)` in one native call, to the last bit as {@link addBranch} and relu. */
export function joinRelu(shortcut: Tensor, branch: Tensor, scale: number): Tensor {
  return joinWindow.call([shortcut, branch, 0, scale], { rectify: 'all' }) as Tensor;
}

/**
 * The sum with the branch run on the kept rows alone, and the relu of a block that has one. Neighbours are copied in
 * one go, others are gathered; the sum and both gradients are formed without a batch of zeros.
 */
export function runSubset(block: ResidualBlock, { x, pass, extras }: Partial, rows: Rows, scale: number): Tensor {
  if ('index' in rows) {
    // Left on the CPU, also beside a batch on a device: there it is checked without waiting.
    const index = fromTypedArray(BigInt64Array.from(rows.index, BigInt));
    const [some, all] = forkRows.call([x, index]) as [Tensor, Tensor];
    const theirs = extras.map((each) => each && (indexSelect.call([each, 0, beside(each, index)]) as Tensor));
    const branch = runBranch(block, some, passOfRows(pass, rows), theirs);
    const shortcut = shortcutOf(block, x, all, pass);
    requirePart(block, shortcut, branch, rows.index.length);
    return joinRows.call([shortcut, branch, index, scale], rectified(block, shortcut === all)) as Tensor;
  }
  const { start, length } = rows;
  const [some, all] = forkWindow.call([x, start, length]) as [Tensor, Tensor];
  const theirs = extras.map((each) => each && (narrow.call([each, 0, start, length]) as Tensor));
  const branch = runBranch(block, some, passOfRows(pass, rows), theirs);
  const shortcut = shortcutOf(block, x, all, pass);
  requirePart(block, shortcut, branch, length);
  return joinWindow.call([shortcut, branch, start, scale], rectified(block, shortcut === all)) as Tensor;
}

/** A row that is the block's input came out of a relu before; one of another shortcut still goes through this one. */
function rectified({ activation }: ResidualBlock, identity: boolean): { readonly rectify?: string } {
  return activation === 'relu' ? { rectify: identity ? 'kept' : 'all' } : {};
}

/** The sum with the branch run on all rows and selected where it is kept, so that NaN in dropped rows cannot leak. */
export function runMasked(
  block: ResidualBlock,
  { x, pass, extras }: Partial,
  rows: Rows | null,
  kept: number,
  scale: number,
): Tensor {
  const batch = x.shape[0] ?? 1;
  const branch = runBranch(block, x, pass, extras);
  const shortcut = block.shortcut(x, pass);
  requirePart(block, shortcut, branch, batch);
  if (kept === (rows?.of ?? 1)) return addBranch(shortcut, branch, scale);
  const flags = rows === null ? new Array<boolean>(batch).fill(false) : rowFlags(rows);
  const keep = beside(x, fromTypedArray(Uint8Array.from(flags, Number), [batch], { dtype: 'bool' }));
  return joinMask.call([shortcut, branch, keep, scale === 0 ? 1 : scale]) as Tensor;
}

/** The shortcut of the forked batch; a block whose shortcut is its input keeps being one. */
function shortcutOf(block: ResidualBlock, x: Tensor, forked: Tensor, pass: Pass): Tensor {
  const shortcut = block.shortcut(forked, pass);
  return shortcut === x ? forked : shortcut;
}

/** Rows as a tensor where another one lives. */
function beside(x: Tensor, rows: Tensor): Tensor {
  return x.device === 'cpu' ? rows : rows.to({ device: x.device });
}

function requirePart({ site }: ResidualBlock, shortcut: Tensor, branch: Tensor, rows: number): void {
  const a = shortcut.shape;
  const b = branch.shape;
  if (a.length === b.length && b[0] === rows && a.every((size, i) => i === 0 || size === b[i])) return;
  throw new ShallowsError(
    `residual: expected the branch of the site '${site.name || site.kind}' to be [${[rows, ...a.slice(1)].join(', ')}], ` +
      `got [${b.join(', ')}] - a branch has the rows of its input and the shape of its shortcut`,
  );
}
