import { type Device, type DType, empty, Generator, Operator, type Tensor, zeros } from '@shallows/torch';
import type { Key } from '../random/key.js';
import type { Draws } from './draws.js';

const random_ = new Operator('aten::random_');
const normal_ = new Operator('aten::normal_');
const and_ = new Operator('aten::bitwise_and_', 'Scalar');
const viewAs = new Operator('aten::view', 'dtype');
const view = new Operator('aten::view');
const narrow = new Operator('aten::narrow');
const unbind = new Operator('aten::unbind', 'int');
const movedim = new Operator('aten::movedim', 'int');
const atLeast = new Operator('aten::ge', 'Scalar_out');
const keyedMask = new Operator('shallows::keyed_mask');

/** What is drawn. */
export interface MaskShape {
  /** A dimension of size 1 where one decision holds along it. */
  readonly shape: readonly number[];
  /** Floating-point: that of the tensor which is dropped. */
  readonly dtype: DType;
  readonly device: Device;
  /** The dimension of the batch's rows, for draws by rows. */
  readonly rowDim?: number;
}

const LANE = 2 ** 31;
// A whole number that libtorch draws has 63 random bits: two lanes of 31 once their highest bits are cleared.
const LANES = 0x7fffffff7fffffffn;

/**
 * Draws a mask: 1 with probability 1 − rate, else 0, each decision by itself and in 31 or 32 bits, so that rates are right to
 * 2⁻³¹ in every dtype. At rate 0 all is 1, at rate 1 all is 0.
 *
 * A function of the draws, the shape and the kind of device alone, whatever the number of threads. On the CPU these are the
 * Philox bits of `ops.shallows.keyed_mask`; elsewhere libtorch's own generator is seeded from the key. A whole batch is drawn
 * from one key; draws by rows have a key for each row, so that the mask of a row does not depend on the batch around it.
 */
export function drawMask(draws: Draws, rate: number, mask: MaskShape): Tensor {
  const { shape, dtype, device } = mask;
  if (rate === 1) return zeros(shape, { dtype, device });
  return drawn(draws, mask, (rows, width) =>
    device === 'cpu'
      ? (keyedMask.call([keysOf(draws), rate, [rows, width]], { dtype }) as Tensor)
      : deviceMask(draws, rate, { shape: [rows, width], dtype, device }),
  );
}

/** The keys of the draws as the operators of the CPU take them. */
export function keysOf({ key, rowKeys }: Draws): readonly number[] {
  return rowKeys === null ? [key.hi, key.lo] : rowKeys.flatMap(({ hi, lo }) => [hi, lo]);
}

/** Numbers are drawn two at a time as 64-bit integers and compared as 32-bit ones, straight into the mask's dtype. */
function deviceMask(draws: Draws, rate: number, { shape: [rows = 0, width = 0], dtype, device }: MaskShape): Tensor {
  const threshold = Math.min(Math.round(rate * LANE), LANE - 1);
  const pairs = Math.ceil(width / 2);
  const bits = empty([rows, pairs], { dtype: 'int64', device });
  fillRows(bits, draws, device, (part, generator) => random_.call([part], { generator }));
  const lanes = viewAs.call([and_.call([bits, LANES]), 'int32']);
  const used = 2 * pairs === width ? lanes : narrow.call([lanes, 1, 0, width]);
  return atLeast.call([used, threshold], { out: empty([rows, width], { dtype, device }) }) as Tensor;
}

/**
 * Draws from N(1, std²), each number by itself: a function of the draws, the shape, the dtype and the kind of device alone,
 * as {@link drawMask}.
 */
export function drawNoise(draws: Draws, std: number, mask: MaskShape): Tensor {
  const { dtype, device } = mask;
  return drawn(draws, mask, (rows, width) => {
    const noise = empty([rows, width], { dtype, device });
    fillRows(noise, draws, device, (part, generator) => normal_.call([part, 1, std], { generator }));
    return noise;
  });
}

/** What `draw` gives for rows of so many numbers, in the shape of the mask. */
function drawn(
  { rowKeys }: Draws,
  { shape, rowDim = 0 }: MaskShape,
  draw: (rows: number, width: number) => Tensor,
): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  if (rowKeys === null || rowKeys.length === 0) return view.call([draw(1, count), shape]) as Tensor;
  const first = [shape[rowDim] ?? 1, ...shape.filter((_, i) => i !== rowDim)];
  const rows = view.call([draw(rowKeys.length, count / rowKeys.length), first]);
  return (rowDim === 0 ? rows : movedim.call([rows, 0, rowDim])) as Tensor;
}

/** Fills a tensor `[rows, …]` as a whole, or each row from its own key. */
function fillRows(
  tensor: Tensor,
  { key, rowKeys }: Draws,
  device: Device,
  fill: (part: Tensor, generator: Generator) => unknown,
): void {
  if (rowKeys === null) {
    fill(tensor, seeded(key, device));
    return;
  }
  const rows = unbind.call([tensor]) as Tensor[];
  for (const [i, row] of rows.entries()) fill(row, seeded(rowKeys[i] as Key, device));
}

const generators = new Map<Device, Generator>();

/** A generator that starts from a key; there is one for each device, so use it before the next is asked for. */
function seeded({ hi, lo }: Key, device: Device): Generator {
  let generator = generators.get(device);
  if (generator === undefined) {
    generator = new Generator(device);
    generators.set(device, generator);
  }
  return generator.manualSeed((BigInt(hi) << 32n) | BigInt(lo));
}
