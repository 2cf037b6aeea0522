/**
 * Memory for the pages of one chunk after the other, which the processor still has at hand: new memory for each takes as long
 * as what is done with it.
 */
export class PageMemory {
  #buffer = new ArrayBuffer(0);
  #used = 0;

  /** Bytes, not yet set, at a multiple of 8; they are others after `reuse`. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.#buffer.byteLength - this.#used) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#buffer.byteLength)).buffer as ArrayBuffer;
      this.#used = 0;
    }
    const bytes = new Uint8Array(this.#buffer, this.#used, length);
    this.#used = Math.min(8 * Math.ceil((this.#used + length) / 8), this.#buffer.byteLength);
    return bytes;
  }

  /** Gives all that was taken free. */
  reuse(): void {
    this.#used = 0;
  }
}
