/** A place that text is written to. */
export interface TextOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

const CLEAR_BELOW = '\r\u001b[J';

/**
 * The lines at the end of a terminal that change in place.
 *
 * After drawing, the cursor is back at the start of their first line. So clearing begins where they begin, also after the terminal
 * was made narrower and broke them into more rows; and what somebody else prints, after a newline, is in the place of
 * their second line, which is kept empty for it.
 */
export class Screen {
  readonly #output: TextOutput;
  #drawn = false;

  constructor(output: TextOutput) {
    this.#output = output;
  }

  /** Puts lines in place of those that were drawn. None may be wider than the terminal. */
  draw(lines: readonly string[]): void {
    const up = lines.length > 1 ? `\u001b[${String(lines.length - 1)}A` : '';
    this.#output.write(`${CLEAR_BELOW}${lines.join('\n')}${up}\r`);
    this.#drawn = true;
  }

  /** Writes a line that stays above those that are drawn. */
  say(line: string): void {
    this.clear();
    this.#output.write(`${line}\n`);
  }

  /** Takes away what was drawn. */
  clear(): void {
    if (this.#drawn) this.#output.write(CLEAR_BELOW);
    this.#drawn = false;
  }
}
