import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChunkSeed } from '../../../../../src/base/signature/signature-chunks.ts';
import { signatureOf, signingKey } from '../../../../../src/base/signature/signature-v4.ts';
import { AwsChunkedDecoder } from '../../../../../src/controller/api/s3/aws-chunked.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const time = '20130524T000000Z';
const scope = { date: '20130524', region: 'us-east-1', service: 's3' };
const LENGTH = 66_560;

/** The request of the S3 API reference's two examples of bodies in chunks, for its signature. */
function seedOf(word: string, more: Record<string, string> = {}): ChunkSeed {
  const headers: Record<string, string> = {
    'content-encoding': 'aws-chunked',
    'content-length': '66824',
    host: 's3.amazonaws.com',
    'x-amz-content-sha256': word,
    'x-amz-date': time,
    'x-amz-decoded-content-length': String(LENGTH),
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    ...more,
  };
  const { 'content-length': length, ...others } = headers;
  const signed = Object.keys(more).length === 0 ? { ...others, 'content-length': length ?? '' } : others;
  const signedHeaders = Object.keys(signed).toSorted();
  const map = new Map(Object.entries(signed).map(([name, value]) => [name, [value]] as const));
  const signature = signatureOf(SECRET, {
    request: { method: 'PUT', path: '/examplebucket/chunkObject.txt', query: '', headers: map },
    ...{ scope, time, signedHeaders, payloadHash: word, pathStyle: 'plain' },
  });
  return { key: signingKey(SECRET, scope), scope, time, signature };
}

const chunk = (size: number, signature: string): string =>
  `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}${size === 0 ? '' : '\r\n'}`;

const signedBody = [
  chunk(65_536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'),
  chunk(1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'),
  chunk(0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'),
  '\r\n',
].join('');
const trailerBody = [
  chunk(65_536, 'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2'),
  chunk(1024, '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7'),
  chunk(0, '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992'),
  'x-amz-checksum-crc32c:sOO8/Q==\r\n',
  'x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n',
].join('');

const signedOptions = { seed: seedOf('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'), hasTrailer: false, length: LENGTH };
const trailerOptions = {
  seed: seedOf('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { 'x-amz-trailer': 'x-amz-checksum-crc32c' }),
  hasTrailer: true,
  length: LENGTH,
};
const plainOptions = { seed: undefined, hasTrailer: true };

function decode(
  body: string | Buffer,
  options: ConstructorParameters<typeof AwsChunkedDecoder>[0],
  cuts: readonly number[] = [],
): { text: string; trailers: Record<string, string> } {
  const decoder = new AwsChunkedDecoder(options);
  const bytes = Buffer.from(body as string, 'latin1');
  const content: Buffer[] = [];
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    const at = Math.min(to, bytes.length);
    content.push(...decoder.push(bytes.subarray(from, at)));
    from = at;
  }
  decoder.finish();
  return { text: Buffer.concat(content).toString('latin1'), trailers: Object.fromEntries(decoder.trailers) };
}

const WHOLE = 'a'.repeat(LENGTH);
const refused = (code: string): object => expect.objectContaining({ code });

describe('bodies in aws-chunked', () => {
  it('have the signatures that AWS publishes', () => {
    expect(signedOptions.seed.signature).toBe('4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9');
    expect(decode(signedBody, signedOptions)).toEqual({ text: WHOLE, trailers: {} });
  });

  it('have the signed trailer that AWS publishes', () => {
    expect(trailerOptions.seed.signature).toBe('106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e');
    expect(decode(trailerBody, trailerOptions)).toEqual({
      text: WHOLE,
      trailers: { 'x-amz-checksum-crc32c': 'sOO8/Q==' },
    });
  });

  it('may be cut on the way wherever they like', () => {
    const short = '5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nx-amz-checksum-crc32: abcdef==\r\nX-B:c\r\n\r\n';
    fc.assert(
      fc.property(fc.array(fc.nat(short.length)), (cuts) => {
        expect(decode(short, { ...plainOptions, length: 6 }, cuts)).toEqual({
          text: 'hello!',
          trailers: { 'x-amz-checksum-crc32': 'abcdef==', 'x-b': 'c' },
        });
      }),
    );
  });

  it('are refused when any byte of them is another', () => {
    fc.assert(
      fc.property(fc.nat(trailerBody.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(trailerBody, 'latin1');
        bytes[at] = (bytes[at] ?? 0) ^ change;
        let same = false;
        try {
          const { text, trailers } = decode(bytes.toString('latin1'), trailerOptions);
          // What differs in form alone, as `FF` for `ff`, says the same.
          same = text === WHOLE && trailers['x-amz-checksum-crc32c'] === 'sOO8/Q==';
        } catch {
          same = true;
        }
        expect(same).toBe(true);
      }),
    );
  });

  it('are refused when a byte of their content is another', () => {
    const at = signedBody.indexOf('aaaa') + 100;
    const changed = `${signedBody.slice(0, at)}b${signedBody.slice(at + 1)}`;
    expect(() => decode(changed, signedOptions)).toThrow(refused('SignatureDoesNotMatch'));
  });

  it('are refused when chunks change places, are missing or come twice', () => {
    const [first = '', second = ''] = [signedBody.slice(0, 65_536 + 90), signedBody.slice(65_536 + 90)];
    expect(first.endsWith('\r\n')).toBe(true);
    expect(() => decode(second + first, signedOptions)).toThrow(refused('SignatureDoesNotMatch'));
    expect(() => decode(first + first, { ...signedOptions, length: 2 * LENGTH })).toThrow(
      refused('SignatureDoesNotMatch'),
    );
    expect(() => decode(second, signedOptions)).toThrow(refused('SignatureDoesNotMatch'));
  });

  it('are refused when they end anywhere before their end', () => {
    fc.assert(
      fc.property(fc.nat(signedBody.length - 3), (length) => {
        expect(() => decode(signedBody.slice(0, length), signedOptions)).toThrow(refused('IncompleteBody'));
      }),
    );
  });

  it.each<[string, string, number, string]>([
    ['more than was said', '5\r\nhello\r\n0\r\n\r\n', 4, 'InvalidRequest'],
    ['less than was said', '5\r\nhello\r\n0\r\n\r\n', 6, 'IncompleteBody'],
    ['no size', 'hello\r\n', 5, 'InvalidRequest'],
    ['a size that is no number', '-5\r\nhello\r\n', 5, 'InvalidRequest'],
    ['a size beyond everything', `${'f'.repeat(20)}\r\n`, 5, 'InvalidRequest'],
    ['a chunk longer than its size', '5\r\nhellohello\r\n0\r\n\r\n', 5, 'InvalidRequest'],
    ['a head without end', `5;${'x'.repeat(5000)}`, 5, 'InvalidRequest'],
    ['something behind the end', '0\r\n\r\nx', 0, 'InvalidRequest'],
    ['a trailer twice', '0\r\na:b\r\na:c\r\n\r\n', 0, 'InvalidRequest'],
    [
      'too many trailers',
      `0\r\n${Array.from({ length: 20 }, (_, n) => `a${n}:b\r\n`).join('')}\r\n`,
      0,
      'InvalidRequest',
    ],
    ['a trailer that is none', '0\r\nabc\r\n\r\n', 0, 'InvalidRequest'],
  ])('are refused with %s', (_, body, length, code) => {
    expect(() => decode(body, { ...plainOptions, length })).toThrow(refused(code));
  });

  it('are refused without a signature of the trailer, where chunks are signed', () => {
    const stripped = trailerBody.replace(/x-amz-trailer-signature:[^\r]*\r\n/, '');
    expect(() => decode(stripped, trailerOptions)).toThrow(refused('SignatureDoesNotMatch'));
    const none = trailerBody.replace(/x-amz-checksum[\s\S]*$/, '\r\n');
    expect(() => decode(none, trailerOptions)).toThrow(refused('SignatureDoesNotMatch'));
  });
});
