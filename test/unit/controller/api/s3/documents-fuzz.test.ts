import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { S3_ERROR_TABLE } from '../../../../../src/base/s3-error-codes.ts';
import { CloudError } from '../../../../../src/base/errors.ts';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { put } from '../../../../support/object-samples.ts';
import { askS3, textsOf, type S3Request } from '../../../../support/s3-call.ts';
import { openS3Store } from './open-store.ts';

/** Of each action that reads a document one that it takes. */
const DOCUMENTS: Readonly<Record<string, { readonly request: S3Request; readonly body: string }>> = {
  Delete: {
    request: { method: 'POST', query: 'delete', headers: { 'content-md5': '' } },
    body: '<Delete><Quiet>true</Quiet><Object><Key>a</Key><VersionId>null</VersionId></Object><Object><Key>b</Key><ETag>"x"</ETag></Object></Delete>',
  },
  CompleteMultipartUpload: {
    request: { method: 'POST', key: 'k', query: 'uploadId=UPLOAD' },
    body: '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag><ChecksumCRC32>x</ChecksumCRC32></Part></CompleteMultipartUpload>',
  },
  Tagging: {
    request: { method: 'PUT', key: 'k', query: 'tagging' },
    body: '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>',
  },
  AccessControlPolicy: {
    request: { method: 'PUT', query: 'acl' },
    body: '<AccessControlPolicy><Owner><ID>p-1</ID></Owner><AccessControlList><Grant><Grantee xsi:type="x"><ID>p-2</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>',
  },
  VersioningConfiguration: {
    request: { method: 'PUT', query: 'versioning' },
    body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
  },
  CORSConfiguration: {
    request: { method: 'PUT', query: 'cors' },
    body: '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>1</MaxAgeSeconds></CORSRule></CORSConfiguration>',
  },
  LifecycleConfiguration: {
    request: { method: 'PUT', query: 'lifecycle' },
    body: '<LifecycleConfiguration><Rule><ID>x</ID><Filter><And><Prefix>a</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>',
  },
  CreateBucketConfiguration: {
    request: { method: 'PUT', bucket: 'fresh' },
    body: '<CreateBucketConfiguration><LocationConstraint>nova</LocationConstraint></CreateBucketConfiguration>',
  },
  OwnershipControls: {
    request: { method: 'PUT', query: 'ownershipControls' },
    body: '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>',
  },
  PublicAccessBlockConfiguration: {
    request: { method: 'PUT', query: 'publicAccessBlock' },
    body: '<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls></PublicAccessBlockConfiguration>',
  },
};

/** A document in which something is other than it was. */
const mutation = fc.record({
  kind: fc.constantFrom('drop', 'double', 'rename', 'empty', 'nest', 'text', 'cut'),
  at: fc.nat(1000),
  text: fc.constantFrom(
    '',
    ' ',
    '-1',
    '1e9',
    '99999999999999999999',
    '*',
    'null',
    '[object Object]',
    '&#x0;',
    '&lol;',
    '<![CDATA[x]]>',
    '€'.repeat(2000),
    '__proto__',
    'constructor',
  ),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(body: string, { kind, at, text }: Mutation): string {
  const leaves = [...body.matchAll(/<(\w+)(?: [^>]*)?>([^<]*)<\/\1>/g)];
  const leaf = leaves[at % leaves.length];
  if (leaf === undefined || kind === 'cut') return body.slice(0, at % body.length);
  const [whole, name = '', inside = ''] = leaf;
  const inPlace: Record<string, string> = {
    drop: '',
    double: whole + whole,
    rename: `<${/^\w+$/.test(text) ? text : 'Other'}>${inside}</${/^\w+$/.test(text) ? text : 'Other'}>`,
    empty: `<${name}/>`,
    nest: `<${name}>${whole}</${name}>`,
    text: `<${name}>${text}</${name}>`,
  };
  return body.slice(0, leaf.index) + (inPlace[kind] ?? '') + body.slice(leaf.index + whole.length);
}

async function ask(store: ObjectStore, name: string, body: string, uploadId: string): Promise<unknown> {
  const request: S3Request = DOCUMENTS[name]?.request ?? {};
  const query = request.query?.replace('UPLOAD', uploadId);
  return askS3(store, { bucket: 'b', ...request, ...(query === undefined ? {} : { query }), body }).catch(
    (error: unknown) => error,
  );
}

describe('documents in which something is other than it should be', () => {
  it('are taken or refused as the caller’s mistake, never a fault of ours', { timeout: 60_000 }, async () => {
    const store = await openS3Store();
    await put(store, 'b', 'k', 'x');
    const begun = await askS3(store, { method: 'POST', bucket: 'b', key: 'k', query: 'uploads' });
    const uploadId = textsOf(begun.text, 'UploadId')[0] ?? '';
    const seen = { taken: 0, refused: 0 };
    const property = fc.asyncProperty(
      fc.constantFrom(...Object.keys(DOCUMENTS)),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      async (name, mutations) => {
        const body = mutations.reduce(mutate, DOCUMENTS[name]?.body ?? '');
        const said = await ask(store, name, body, uploadId);
        if (!(said instanceof Error)) {
          seen.taken += 1;
          return;
        }
        seen.refused += 1;
        expect(said, `${name}: ${body}\n${said.stack}`).toBeInstanceOf(CloudError);
        expect(Object.keys(S3_ERROR_TABLE), `${name}: ${body}`).toContain((said as CloudError).code);
        expect(said.message).not.toBe('');
      },
    );
    await fc.assert(property, { numRuns: 1500 });
    expect(seen.refused).toBeGreaterThan(300);
    expect(seen.taken).toBeGreaterThan(30);
  });

  it('are taken when nothing is', async () => {
    const store = await openS3Store();
    await put(store, 'b', 'k', 'x');
    for (const [name, { body }] of Object.entries(DOCUMENTS)) {
      const said = await ask(store, name, body, '0');
      if (name === 'CompleteMultipartUpload') expect(said).toMatchObject({ code: 'NoSuchUpload' });
      else expect(said, name).not.toBeInstanceOf(Error);
    }
  });
});
