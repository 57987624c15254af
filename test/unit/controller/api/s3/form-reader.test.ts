import fc from 'fast-check';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { readForm } from '../../../../../src/controller/api/s3/actions/form-reader.ts';

const code = (name: string): object => expect.objectContaining({ code: name });
const TYPE = 'multipart/form-data; boundary=XX';
const part = (name: string, value: string, more = ''): string =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
const END = '--XX--\r\n';

/** Cut into pieces of those lengths, the last again and again. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const length = lengths[Math.min(n, lengths.length - 1)] ?? bytes.length;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

async function read(
  form: string | Buffer,
  lengths: readonly number[] = [1_000_000],
  type = TYPE,
): Promise<{ fields: object; fileName: string; file: Buffer }> {
  const { fields, fileName, file } = await readForm(Readable.from(cut(Buffer.from(form), lengths)), type);
  return { fields: Object.fromEntries(fields), fileName, file: await buffer(file) };
}

describe('a form', () => {
  it('gives its fields and its file', async () => {
    const form = `${part('Key', 'a/${filename}')}${part('x-amz-meta-A', 'ä\r\nb')}${part('file', 'bytes', '; filename="C:\\\\x\\\\n \\"1\\".txt"\r\nContent-Type: text/plain')}${part('later', 'x')}${END}`;
    expect(await read(form)).toEqual({
      fields: { key: 'a/${filename}', 'x-amz-meta-a': 'ä\r\nb' },
      fileName: 'n "1".txt',
      file: Buffer.from('bytes'),
    });
    const quoted = await read(
      `preamble\r\n${part('file', '')}${END}`,
      [3],
      'Multipart/Form-Data; charset=x; Boundary="XX"',
    );
    expect(quoted).toEqual({ fields: {}, fileName: '', file: Buffer.alloc(0) });
  });

  it('is the same however it is cut, whatever the file holds', async () => {
    const bits = fc.array(fc.constantFrom('\r', '\n', '\r\n', '-', '--', '--X', '\r\n--X', '\r\n-', 'x', '\0', 'é'), {
      maxLength: 30,
    });
    const property = fc.asyncProperty(
      bits,
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
      async (pieces, lengths) => {
        const content = pieces.join('').replaceAll('\r\n--XX', '');
        const form = `${part('key', 'k')}${part('file', content)}${END}`;
        expect((await read(form, lengths)).file.toString()).toBe(content);
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  it('is refused where it is none, with bounds on all but the file', async () => {
    const many = Array.from({ length: 201 }, (_, n) => part(`f${n}`, '')).join('');
    const refused: [string, string, string?][] = [
      ['InvalidRequest', 'x', 'application/json'],
      ['InvalidRequest', 'x', 'multipart/form-data'],
      ['MalformedPOSTRequest', ''],
      ['MalformedPOSTRequest', 'no boundary'],
      ['MalformedPOSTRequest', 'x'.repeat(10_000)],
      ['MalformedPOSTRequest', '--XX'],
      ['MalformedPOSTRequest', '--XX\r\nContent-Type: x\r\n\r\ny\r\n--XX--'],
      ['MalformedPOSTRequest', `--XX\r\n${'h'.repeat(5000)}`],
      ['MalformedPOSTRequest', part('key', 'never ends').slice(0, -2)],
      ['MalformedPOSTRequest', part('key', 'x'.repeat(21_000))],
      ['MalformedPOSTRequest', part('a', 'x'.repeat(11_000)) + part('b', 'x'.repeat(11_000)) + part('file', 'x') + END],
      ['MalformedPOSTRequest', many + part('file', 'x') + END],
      ['MalformedPOSTRequest', part('key', 'a') + part('KEY', 'b') + part('file', 'x') + END],
      ['MalformedPOSTRequest', part('file', 'no end')],
      ['InvalidArgument', part('key', 'a') + END],
    ];
    for (const [name, form, type] of refused)
      await expect(read(form, [100], type), form.slice(0, 60)).rejects.toEqual(code(name));
  });

  it('streams its file, and reads no more of what follows than a little', async () => {
    let given = 0;
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${part('key', 'k')}--XX\r\nContent-Disposition: form-data; name="file"\r\n\r\n`);
      for (let n = 0; n < 1000; n += 1) {
        given += 1;
        yield Buffer.alloc(65_536, 'x');
      }
      yield Buffer.from(`\r\n${END}`);
      for (;;) {
        given += 1;
        yield Buffer.alloc(65_536, 'y');
      }
    }
    const { file } = await readForm(Readable.from(body(), { objectMode: true, highWaterMark: 1 }), TYPE);
    // Nothing is taken before somebody reads.
    expect(given).toBeLessThan(4);
    let bytes = 0;
    for await (const chunk of file as AsyncIterable<Buffer>) bytes += chunk.length;
    expect(bytes).toBe(65_536_000);
    expect(given).toBeLessThan(1010);
  });

  it('ends with nobody hurt when its file is refused on the way', async () => {
    const body = new Readable({ read: () => undefined });
    body.on('error', () => undefined);
    body.push(`${part('key', 'k')}--XX\r\nContent-Disposition: form-data; name="file"\r\n\r\n${'x'.repeat(1000)}`);
    const { file } = await readForm(body, TYPE);
    for await (const chunk of file.iterator({ destroyOnReturn: false })) {
      expect((chunk as Buffer).length).toBeGreaterThan(0);
      break;
    }
    // It asks for more by now, which never comes.
    file.read();
    body.destroy();
    await new Promise<void>((resolve) => file.on('close', resolve));
    expect(file.errored).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});
