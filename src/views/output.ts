import { paint } from './paint.ts';
import { plainLine } from './text.ts';

/** Where text goes: a terminal, a pipe, a file. */
export interface Sink {
  write(text: string | Uint8Array): void;
  readonly isTty: boolean;
  /** Cells to a line of a terminal. */
  readonly columns: number | undefined;
}

export interface OutputOptions {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Colour on stderr. */
  readonly color: boolean;
  /** Stderr is a terminal that can rewrite a line. */
  readonly animated: boolean;
}

/** The only way to the terminal: data to stdout, everything said about it to stderr. */
export class Output {
  readonly #options: OutputOptions;
  /** A line that is being rewritten in place, to be cleared before anything else is said. */
  #transient = false;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  data(text: string): void {
    this.#clear();
    if (text !== '') this.#options.stdout.write(text);
  }

  bytes(bytes: Uint8Array): void {
    this.#clear();
    if (bytes.length > 0) this.#options.stdout.write(bytes);
  }

  /** What was done or is going on. */
  message(text: string): void {
    if (!this.#options.quiet) this.#line(plainLine(text));
  }

  /** What to do next. */
  hint(text: string): void {
    if (!this.#options.quiet) this.#line(paint(plainLine(text), 'dim', this.#options.color));
  }

  detail(text: string): void {
    if (this.#options.verbose) this.#line(paint(plainLine(text), 'dim', this.#options.color));
  }

  warn(text: string): void {
    this.#line(`${paint('warning:', 'busy', this.#options.color)} ${plainLine(text)}`);
  }

  /** One or more lines that say why it failed; never left out. */
  error(text: string): void {
    for (const line of text.split('\n'))
      this.#line(`${paint('novactl:', 'bad', this.#options.color)} ${plainLine(line)}`);
  }

  /** The same for programs: one line of JSON. */
  errorJson(value: unknown): void {
    this.#line(JSON.stringify(value));
  }

  /** Rewrites one line on a terminal; nothing elsewhere. An empty text takes it away. */
  progress(text: string): void {
    if (this.#options.quiet || !this.#options.animated) return;
    this.#clear();
    if (text === '') return;
    this.#options.stderr.write(`\r${text}`);
    this.#transient = true;
  }

  #line(text: string): void {
    this.#clear();
    this.#options.stderr.write(`${text}\n`);
  }

  #clear(): void {
    if (this.#transient) this.#options.stderr.write('\r\x1b[K');
    this.#transient = false;
  }
}
