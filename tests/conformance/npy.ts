import { readFileSync } from 'node:fs';

/** The elements of a NumPy file of float32, float64 or int64, in row-major order. */
export function readNpy(path: string): Float32Array | Float64Array | BigInt64Array {
  const bytes = readFileSync(path);
  const headerLength = bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, 10 + headerLength);
  const data = new Uint8Array(bytes.subarray(10 + headerLength)).buffer;
  const type = /'descr': '<(\w\d)'/.exec(header)?.[1];
  if (header.includes("'fortran_order': True")) throw new Error(`${path}: expected row-major order`);
  if (type === 'f4') return new Float32Array(data);
  if (type === 'f8') return new Float64Array(data);
  if (type === 'i8') return new BigInt64Array(data);
  throw new Error(`${path}: expected f4, f8 or i8, got ${String(type)}`);
}
