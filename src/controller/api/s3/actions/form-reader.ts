import { Readable } from 'node:stream';
import { CloudError } from '../../../../base/errors.ts';

/** Of all fields before the file: names and values (S3 allows so much). */
const FIELDS_MAX_BYTES = 20 * 1024;
const PART_HEAD_MAX_BYTES = 4 * 1024;
const MAX_FIELDS = 200;
/** What may stand behind the file: fields that nobody looks at. */
const REST_MAX_BYTES = 64 * 1024;

export interface PostedForm {
  /** By lower-case name; those before the file. */
  readonly fields: ReadonlyMap<string, string>;
  readonly fileName: string;
  /** To be read to its end. Errors as it is read: 'MalformedPOSTRequest'. */
  readonly file: Readable;
}

const malformed = (why: string): CloudError =>
  new CloudError('MalformedPOSTRequest', `the body is not a form as multipart/form-data has it: ${why}`);

/** Finds what stands between marks in bytes that come in chunks; it holds a chunk and what it is to give next. */
class MarkedBytes {
  readonly #chunks: AsyncIterator<Uint8Array>;
  // As if a line's end stood before the first mark.
  #held: Buffer = Buffer.from('\r\n');

  constructor(body: Readable) {
    this.#chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    this.#held = this.#held.length === 0 ? Buffer.from(value) : Buffer.concat([this.#held, value]);
    return true;
  }

  /** What stands before the mark; the mark is passed. */
  async until(mark: Buffer, maxBytes: number, what: string): Promise<Buffer> {
    for (let from = 0; ;) {
      const at = this.#held.indexOf(mark, from);
      if (at > maxBytes || (at < 0 && this.#held.length - mark.length > maxBytes))
        throw malformed(`${what} has more than ${maxBytes} bytes`);
      if (at >= 0) {
        const found = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + mark.length);
        return found;
      }
      from = Math.max(0, this.#held.length - mark.length + 1);
      if (!(await this.#more())) throw malformed(`it ends within ${what}`);
    }
  }

  async take(count: number): Promise<Buffer> {
    while (this.#held.length < count) if (!(await this.#more())) throw malformed('it ends behind a boundary');
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  /** The same as it comes. */
  async *streamUntil(mark: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(mark);
      const sure = at >= 0 ? at : Math.max(0, this.#held.length - mark.length + 1);
      const piece = this.#held.subarray(0, sure);
      this.#held = this.#held.subarray(at >= 0 ? at + mark.length : sure);
      if (piece.length > 0) yield piece;
      if (at >= 0) return;
      if (!(await this.#more())) throw malformed('it ends within the file');
    }
  }

  /** The rest, so that the connection can be used again; of a longer one the beginning. */
  async passRest(maxBytes: number): Promise<void> {
    let passed = this.#held.length;
    this.#held = Buffer.alloc(0);
    while (passed <= maxBytes && (await this.#more())) {
      passed += this.#held.length;
      this.#held = Buffer.alloc(0);
    }
  }
}

/** `name` and `filename` of a part's Content-Disposition. */
function dispositionOf(head: string): { name: string; fileName: string | undefined } {
  const line = /^content-disposition\s*:(.*)$/im.exec(head)?.[1] ?? '';
  const parameter = (name: string): string | undefined => {
    const [, quoted, token] =
      new RegExp(`;\\s*${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`, 'i').exec(line) ?? [];
    return quoted?.replace(/\\(["\\])/g, '$1') ?? token;
  };
  const name = parameter('name');
  if (name === undefined) throw malformed('a part has no name in its Content-Disposition');
  return { name, fileName: parameter('filename') };
}

function boundaryOf(contentType: string | undefined): Buffer {
  const [, quoted, token] =
    /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? token;
  if (boundary !== undefined) return Buffer.from(`\r\n--${boundary}`, 'latin1');
  const text = 'Content-Type: a POST to a bucket is a form: multipart/form-data with a boundary';
  throw new CloudError('InvalidRequest', text);
}

/** Without the folders that some browsers tell. */
const baseName = (path: string): string => path.split(/[/\\]/).at(-1) ?? '';

async function* fileBytes(bytes: MarkedBytes, mark: Buffer): AsyncGenerator<Buffer> {
  yield* bytes.streamUntil(mark);
  await bytes.passRest(REST_MAX_BYTES);
}

function fileStream(bytes: MarkedBytes, mark: Buffer): Readable {
  const file = Readable.from(fileBytes(bytes, mark), { objectMode: false });
  // Who reads gets an error; of a file that is refused on the way nobody does, and the rest of the body ends early.
  file.on('error', () => undefined);
  return file;
}

/** Reads up to the file. Errors: 'MalformedPOSTRequest', 'InvalidRequest', 'InvalidArgument' where there is no file. */
export async function readForm(body: Readable, contentType: string | undefined): Promise<PostedForm> {
  const mark = boundaryOf(contentType);
  const bytes = new MarkedBytes(body);
  const fields = new Map<string, string>();
  let left = FIELDS_MAX_BYTES;
  await bytes.until(mark, PART_HEAD_MAX_BYTES, 'what stands before the first boundary');
  for (;;) {
    if ((await bytes.take(2)).toString('latin1') !== '\r\n') break;
    // A part without headers begins with the empty line at once; it has no name either.
    const head = (await bytes.until(Buffer.from('\r\n\r\n'), PART_HEAD_MAX_BYTES, 'the head of a part')).toString();
    const { name, fileName = '' } = dispositionOf(head);
    const lower = name.toLowerCase();
    if (lower === 'file') return { fields, fileName: baseName(fileName), file: fileStream(bytes, mark) };
    const value = await bytes.until(mark, left, 'the form without its file');
    left -= name.length + value.length;
    if (fields.has(lower)) throw malformed(`the field ${lower.slice(0, 60)} is there twice`);
    if (left < 0 || fields.size >= MAX_FIELDS)
      throw malformed(`it has more than ${MAX_FIELDS} fields or ${FIELDS_MAX_BYTES} bytes of them`);
    fields.set(lower, value.toString());
  }
  throw new CloudError('InvalidArgument', 'the form has no field named file, which is what is uploaded');
}
