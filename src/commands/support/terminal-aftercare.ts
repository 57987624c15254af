/** Long enough for the sequences looked for below. */
const CARRY = 16;

/** Into the alternate screen and out of it, as DEC private modes 47, 1047 and 1049. */
const ALTERNATE = new RegExp(`${'\x1b'}\\[\\?(?:47|1047|1049)([hl])`, 'g');

/** The scrolling region, with the cursor kept where it is; line-drawing letters, insert mode, lines that do not wrap. */
const LINES = '\x1b7\x1b[r\x1b8\x1b(B\x0f\x1b[4l\x1b[?7h';

/** Attributes, cursor, mouse, focus, bracketed paste, application keys: off and shown. */
const KEYS = '\x1b[0m\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>';

/** A guest's questions that a terminal answers on its own, as if it were typed: where the cursor is, how it is, what it is. */
const QUESTION = new RegExp(`${'\\x1b'}\\[[>=?]?[\\d;]*[cn]`, 'g');
const ANSWER = new RegExp(`${'\\x1b'}\\[[>=?]?[\\d;]*[Rcn]`, 'g');

/** Follows what a guest does to the terminal, to undo it when the console is left. */
export class TerminalAftercare {
  #tail = '';
  #alternate = false;
  #asked = 0;

  /** What goes to the terminal. */
  see(bytes: Uint8Array): void {
    const fresh = Buffer.from(bytes).toString('latin1');
    const text = this.#tail + fresh;
    for (const [, mode] of text.matchAll(ALTERNATE)) this.#alternate = mode === 'h';
    this.#asked += count(text, QUESTION) - count(this.#tail, QUESTION);
    this.#tail = text.slice(-CARRY);
  }

  /** What comes from the terminal. */
  hear(bytes: Uint8Array): void {
    this.#asked = Math.max(0, this.#asked - count(Buffer.from(bytes).toString('latin1'), ANSWER));
  }

  /** Answers of the terminal are under way; a shell would take them for keys. */
  get owed(): boolean {
    return this.#asked > 0;
  }

  /** What to write when the console is left; harmless where nothing was set. */
  restore(): string {
    return `${this.#alternate ? '\x1b[?1049l' : ''}${LINES}${KEYS}`;
  }
}

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;
