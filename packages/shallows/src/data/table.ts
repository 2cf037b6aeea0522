/** Labelled pictures in memory, before they become tensors. */
export interface ImageTable {
  /** Row by row, each `[C, H, W]`. */
  readonly pixels: Uint8Array;
  /** `[N]`, each an index of a class. */
  readonly labels: Int32Array;
  /** Channels, height, width. */
  readonly shape: readonly [number, number, number];
}

/** The rows from `start` up to, not including, `end`; they share memory with the table. */
export function sliceTable({ pixels, labels, shape }: ImageTable, start: number, end: number): ImageTable {
  const row = shape[0] * shape[1] * shape[2];
  return { pixels: pixels.subarray(start * row, end * row), labels: labels.subarray(start, end), shape };
}

/** One table after another. All have the shape of the first. */
export function joinTables(tables: readonly [ImageTable, ...ImageTable[]]): ImageTable {
  const [first] = tables;
  if (tables.length === 1) return first;
  const pixels = new Uint8Array(tables.reduce((sum, table) => sum + table.pixels.length, 0));
  const labels = new Int32Array(tables.reduce((sum, table) => sum + table.labels.length, 0));
  let row = 0;
  let byte = 0;
  for (const table of tables) {
    pixels.set(table.pixels, byte);
    labels.set(table.labels, row);
    byte += table.pixels.length;
    row += table.labels.length;
  }
  return { pixels, labels, shape: first.shape };
}
