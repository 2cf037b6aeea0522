/**
 * A terminal as far as the progress display needs one: text with wrapping, `\r`, `\n`, cursor up, clearing, colours, and a change
 * of width that wraps lines anew, with the cursor on the character it was on.
 */
export class FakeTerminal {
  readonly isTTY = true;
  columns: number;
  rows: number;
  /** Everything that was written, in pieces. */
  readonly writes: string[] = [];
  /** Logical lines; each takes as many rows as its length needs. */
  #lines: string[] = [''];
  #line = 0;
  #column = 0;

  constructor(columns = 80, rows = 40) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.writes.push(text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: sequences begin with one
    for (const [token] of text.matchAll(/\u001b\[[\d;]*[A-Za-z]|[\s\S]/gu)) this.#take(token);
  }

  /** What can be read, without the empty rows at the end. */
  get screen(): string[] {
    const rows = this.#lines.flatMap((line) => this.#wrapped(line));
    while (rows.at(-1)?.trim() === '') rows.pop();
    return rows.map((row) => row.trimEnd());
  }

  /** Row of the cursor. */
  get cursorRow(): number {
    const above = this.#lines.slice(0, this.#line).reduce((sum, line) => sum + this.#wrapped(line).length, 0);
    return above + Math.floor(this.#column / this.columns);
  }

  #wrapped(line: string): string[] {
    const characters = [...line];
    const count = Math.max(1, Math.ceil(characters.length / this.columns));
    return Array.from({ length: count }, (_, i) => characters.slice(i * this.columns, (i + 1) * this.columns).join(''));
  }

  #take(token: string): void {
    if (token === '\r') this.#column = Math.floor(this.#column / this.columns) * this.columns;
    else if (token === '\n') this.#newline();
    else if (token.startsWith('\u001b[')) this.#control(token.slice(2, -1), token.at(-1) ?? '');
    else this.#put(token);
  }

  #newline(): void {
    this.#line += 1;
    this.#column = 0;
    if (this.#line === this.#lines.length) this.#lines.push('');
  }

  #put(character: string): void {
    const characters = [...(this.#lines[this.#line] ?? '')];
    while (characters.length < this.#column) characters.push(' ');
    characters[this.#column] = character;
    this.#lines[this.#line] = characters.join('');
    this.#column += 1;
  }

  #control(parameters: string, kind: string): void {
    switch (kind) {
      case 'm':
        return;
      case 'A':
        for (let i = 0; i < Number(parameters || 1); i++) this.#up();
        return;
      case 'J':
        this.#lines[this.#line] = [...(this.#lines[this.#line] ?? '')].slice(0, this.#column).join('');
        this.#lines.splice(this.#line + 1);
        return;
      default:
        throw new Error(`FakeTerminal: expected a sequence that it knows, got CSI ${parameters}${kind}`);
    }
  }

  #up(): void {
    if (this.#column >= this.columns) this.#column -= this.columns;
    else if (this.#line > 0) {
      this.#line -= 1;
      const rows = this.#wrapped(this.#lines[this.#line] ?? '').length;
      this.#column += (rows - 1) * this.columns;
    }
  }
}
