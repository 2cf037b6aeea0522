import { StringDecoder } from 'node:string_decoder';
import type { Output } from './context.js';

/** Writes what arrives in pieces line by line, each behind a prefix; `end` writes a last line that has no end. */
export function prefixedLines(prefix: string, output: Output): { write(piece: Buffer): void; end(): void } {
  const decoder = new StringDecoder('utf8');
  let open = '';
  const line = (text: string): unknown => output.write(`${prefix}${text}\n`);
  return {
    write(piece) {
      const lines = `${open}${decoder.write(piece)}`.split(/\r?\n/);
      open = lines.pop() ?? '';
      for (const each of lines) line(each);
    },
    end() {
      const rest = `${open}${decoder.end()}`;
      if (rest !== '') line(rest);
      open = '';
    },
  };
}
