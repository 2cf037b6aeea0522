/** Rows as they lie in memory, before they become tensors: what a decoding thread makes. */
export interface Block {
  /** Row by row: bytes of pictures, encoded features of a table. */
  readonly inputs: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
  /** Row by row: classes or numbers; null where the reader of the dataset knows them already. */
  readonly targets: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | null;
}

/** Asks for one block. */
export interface BlockRequest {
  /** Number of the block: of a batch of pictures, of a chunk of a table. */
  readonly number: number;
  /** The pictures of the block, in order; none for a table, which knows its chunks. */
  readonly files: readonly string[];
}

/** Reads and decodes one block. */
export type ReadBlock = (request: BlockRequest) => Promise<Block>;
