import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipOptions {
  /** Writes sizes and places in 64 bits, as archives above 4 GB have them. */
  readonly wide?: boolean;
  readonly stored?: boolean;
}

/** A zip file with the given entries; names that end with `/` are folders. */
export function zip(
  entries: Readonly<Record<string, string | Buffer>>,
  { wide = false, stored = false }: ZipOptions = {},
): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const data = Buffer.from(content);
    const packed = stored ? data : deflateRawSync(data);
    const extra = wide ? extraField(data.length, packed.length, offset) : Buffer.alloc(0);
    const local = fields(30, [0, 4, 0x04034b50], [8, 2, stored ? 0 : 8], [26, 2, name.length]);
    const central = fields(
      46,
      [0, 4, 0x02014b50],
      [10, 2, stored ? 0 : 8],
      [16, 4, crc32(data)],
      [20, 4, wide ? 0xffffffff : packed.length],
      [24, 4, wide ? 0xffffffff : data.length],
      [28, 2, name.length],
      [30, 2, extra.length],
      [42, 4, wide ? 0xffffffff : offset],
    );
    bodies.push(local, Buffer.from(name), packed);
    directory.push(central, Buffer.from(name), extra);
    offset += local.length + name.length + packed.length;
  }
  const central = Buffer.concat(directory);
  return Buffer.concat([...bodies, central, ...ending(Object.keys(entries).length, central.length, offset, wide)]);
}

function ending(count: number, bytes: number, offset: number, wide: boolean): Buffer[] {
  const short = fields(
    22,
    [0, 4, 0x06054b50],
    [10, 2, wide ? 0xffff : count],
    [12, 4, bytes],
    [16, 4, wide ? 0xffffffff : offset],
  );
  if (!wide) return [short];
  const end64 = fields(56, [0, 4, 0x06064b50], [32, 8, count], [40, 8, bytes], [48, 8, offset]);
  const locator = fields(20, [0, 4, 0x07064b50], [8, 8, offset + bytes]);
  return [end64, locator, short];
}

function extraField(...values: number[]): Buffer {
  return fields(
    4 + 8 * values.length,
    [0, 2, 1],
    [2, 2, 8 * values.length],
    ...values.map((value, i) => [4 + 8 * i, 8, value] as const),
  );
}

function fields(length: number, ...values: readonly (readonly [at: number, bytes: number, value: number])[]): Buffer {
  const buffer = Buffer.alloc(length);
  for (const [at, bytes, value] of values) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(value, at, bytes);
  }
  return buffer;
}
