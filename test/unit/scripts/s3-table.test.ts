import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { S3_NAMES } from '../../../scripts/s3/names.ts';
import { ALIASES, OWN, PARTLY } from '../../../scripts/s3/notes.ts';
import { s3Page, s3Table } from '../../../scripts/s3/table.ts';
import { REFUSED_SETTINGS } from '../../../src/controller/api/s3/actions/absent-settings.ts';
import { S3_ACTIONS } from '../../../src/controller/api/s3/actions/index.ts';
import { routeS3 } from '../../../src/controller/api/s3/s3-router.ts';

const MODEL = '/usr/lib/python3/dist-packages/botocore/data/s3/2006-03-01/service-2.json';
interface Operation {
  readonly http: { readonly method: string; readonly requestUri: string };
}

/** Parameters that the model has apart from the address. */
const MARKED = new Map(
  ['UploadPart', 'UploadPartCopy', 'ListParts', 'AbortMultipartUpload', 'CompleteMultipartUpload'].map((name) => [
    name,
    [['uploadId', '1']] as [string, string][],
  ]),
);

const page = (): string => readFileSync(join(import.meta.dirname, '../../../docs/S3.md'), 'utf8');
const names = S3_ACTIONS.map(({ name }) => name);

describe('the table of S3 actions', () => {
  it('is what the actions are; `node scripts/s3-table.ts` writes it anew', () => {
    expect(page()).toBe(s3Page(s3Table()));
  });

  it('has as done, wholly or partly, all that is carried out and nothing else', () => {
    const done = [...page().matchAll(/^\| (\w+) \| (yes|partly) \|/gm)].map(([, action]) => action);
    const refused = new Set(REFUSED_SETTINGS.map(({ name }) => name));
    const aliases = Object.entries(ALIASES).flatMap(([old, name]) => (refused.has(name) ? [] : [old]));
    expect(done.toSorted()).toEqual([...names.filter((name) => !refused.has(name)), ...aliases].toSorted());
  });

  it('says nothing of actions that are not there, and names each once', () => {
    expect(
      [...Object.keys({ ...PARTLY, ...OWN }), ...Object.values(ALIASES)].filter((name) => !names.includes(name)),
    ).toEqual([]);
    expect(names.filter((name) => !S3_NAMES.includes(name)).toSorted()).toEqual(Object.keys(OWN).toSorted());
    expect(new Set(names).size).toBe(names.length);
  });

  it('has all that the AWS clients of this machine can ask for', (ctx) => {
    if (!existsSync(MODEL)) {
      ctx.skip('needs python3-botocore, which is not installed');
      return;
    }
    const { operations } = JSON.parse(readFileSync(MODEL, 'utf8')) as { operations: Record<string, Operation> };
    expect(Object.keys(operations).length).toBeGreaterThan(90);
    expect(Object.keys(operations).filter((name) => !S3_NAMES.includes(name))).toEqual([]);
    for (const [name, { http }] of Object.entries(operations)) {
      const [path = '', query = ''] = http.requestUri.split('?');
      const asked = {
        method: http.method,
        bucketName: path.includes('{Bucket}') ? 'b' : '',
        key: path.includes('{Key') ? 'k' : '',
        query: new Map([...new URLSearchParams(query), ...(MARKED.get(name) ?? [])]),
        hasHeader: (header: string) => header === 'x-amz-copy-source' && name.endsWith('Copy'),
      };
      // What is asked for by a parameter of its own is that action or none; never another one.
      if ((query === '' && !MARKED.has(name)) || path.includes('WriteGetObjectResponse')) continue;
      const routed = (): string => routeS3(S3_ACTIONS, asked).name;
      if (names.includes(ALIASES[name] ?? name)) expect(routed(), name).toBe(ALIASES[name] ?? name);
      else expect(routed, name).toThrow(expect.objectContaining({ code: 'NotImplemented' }) as Error);
    }
  });
});

describe('the rows of S3 actions', () => {
  it('are told apart by method, level, query and header', () => {
    const marks = S3_ACTIONS.map(({ method, level, query, header }) =>
      JSON.stringify([method, level === 'new-bucket' ? 'bucket' : level, query, header]),
    );
    expect(new Set(marks).size).toBe(marks.length);
  });
});
