/** The element types of NumPy that are read. */
export type NumpyDType =
  | 'bool'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float16'
  | 'float32'
  | 'float64'
  | 'complex64'
  | 'complex128';

/** The typed arrays that hold their elements. */
export type NumpyValues =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

interface Layout {
  readonly name: NumpyDType;
  /** Bytes of an element. */
  readonly size: number;
  /** Bytes that are in order by themselves: half of a complex number. */
  readonly word: number;
  /** Entries of the typed array for an element. */
  readonly entries: number;
  /** @param bytes little-endian, of whole elements */
  readonly read: (bytes: ArrayBuffer) => NumpyValues;
}

const layout = (
  name: NumpyDType,
  size: number,
  read: (bytes: ArrayBuffer) => NumpyValues,
  { word = size, entries = 1 } = {},
): Layout => ({ name, size, word, entries, read });

/** By kind and size, as `descr` in a header has them after the byte order. */
export const layouts: Readonly<Record<string, Layout>> = {
  b1: layout('bool', 1, (bytes) => new Uint8Array(bytes)),
  i1: layout('int8', 1, (bytes) => new Int8Array(bytes)),
  u1: layout('uint8', 1, (bytes) => new Uint8Array(bytes)),
  i2: layout('int16', 2, (bytes) => new Int16Array(bytes)),
  u2: layout('uint16', 2, (bytes) => new Uint16Array(bytes)),
  i4: layout('int32', 4, (bytes) => new Int32Array(bytes)),
  u4: layout('uint32', 4, (bytes) => new Uint32Array(bytes)),
  i8: layout('int64', 8, (bytes) => new BigInt64Array(bytes)),
  u8: layout('uint64', 8, (bytes) => new BigUint64Array(bytes)),
  f2: layout('float16', 2, (bytes) => Float32Array.from(new Uint16Array(bytes), fromHalf)),
  f4: layout('float32', 4, (bytes) => new Float32Array(bytes)),
  f8: layout('float64', 8, (bytes) => new Float64Array(bytes)),
  c8: layout('complex64', 8, (bytes) => new Float32Array(bytes), { word: 4, entries: 2 }),
  c16: layout('complex128', 16, (bytes) => new Float64Array(bytes), { word: 8, entries: 2 }),
};

/** The number of 16 bits: sign, 5 bits of exponent, 10 of fraction. @see IEEE 754, binary16 */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}
