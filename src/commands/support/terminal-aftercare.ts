/** Long enough for the sequences looked for below. */
const CARRY = 16;

/** Into the alternate screen and out of it, as DEC private modes 47, 1047 and 1049. */
const ALTERNATE = new RegExp(`${'\x1b'}\\[\\?(?:47|1047|1049)([hl])`, 'g');

/** Attributes, cursor, mouse, bracketed paste, application keys: off and shown. Harmless where nothing was set. */
const PLAIN = '\x1b[0m\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>';

/** Follows what a guest does to the terminal, to undo it when the console is left. */
export class TerminalAftercare {
  #tail = '';
  #alternate = false;

  see(bytes: Uint8Array): void {
    const text = this.#tail + Buffer.from(bytes).toString('latin1');
    for (const [, mode] of text.matchAll(ALTERNATE)) this.#alternate = mode === 'h';
    this.#tail = text.slice(-CARRY);
  }

  /** What to write when the console is left. */
  restore(): string {
    return `${this.#alternate ? '\x1b[?1049l' : ''}${PLAIN}`;
  }
}
