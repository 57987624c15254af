import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { askS3, type Told } from '../../../../support/s3-call.ts';
import { openS3Store } from './open-store.ts';

const code = (name: string): object => expect.objectContaining({ code: name });
const rule = (inside: string, id = 'r'): string => `<Rule><ID>${id}</ID><Status>Enabled</Status>${inside}</Rule>`;
const days = '<Expiration><Days>3</Days></Expiration>';
const set = (store: ObjectStore, ...rules: string[]): Promise<Told> =>
  askS3(store, {
    ...{ method: 'PUT', bucket: 'b', query: 'lifecycle' },
    body: `<LifecycleConfiguration>${rules.join('')}</LifecycleConfiguration>`,
  });
const get = (store: ObjectStore): Promise<Told> => askS3(store, { bucket: 'b', query: 'lifecycle' });

describe('lifecycle rules', () => {
  it('are kept as they are meant, and can be put back', async () => {
    const store = await openS3Store();
    await expect(get(store)).rejects.toEqual(code('NoSuchLifecycleConfiguration'));
    await set(
      store,
      rule(`<Filter><Prefix>a/</Prefix></Filter>${days}`, 'prefix'),
      rule(`<Prefix></Prefix><Expiration><Date>2026-02-01T00:00:00Z</Date></Expiration>`, 'old'),
      rule(`<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`, 'all'),
      rule(
        '<Filter><And><Prefix>b</Prefix><Tag><Key>t</Key><Value>1</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>',
        'and',
      ),
      `<Rule><Status>Disabled</Status><Filter><Tag><Key>t</Key><Value></Value></Tag></Filter>${days}</Rule>`,
      rule(
        '<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>',
        'abort',
      ),
    );
    const { text } = await get(store);
    expectGolden('s3/lifecycle.xml', text);
    await askS3(store, { method: 'PUT', bucket: 'b', query: 'lifecycle', body: text });
    expect((await get(store)).text).toBe(text);
    await askS3(store, { method: 'DELETE', bucket: 'b', query: 'lifecycle' });
    await expect(get(store)).rejects.toEqual(code('NoSuchLifecycleConfiguration'));
  });

  it('are told with the objects that they take away', async () => {
    const store = await openS3Store();
    await set(store, rule(`<Filter><Prefix>a/</Prefix></Filter>${days}`, 'three days'));
    const put = await askS3(store, { method: 'PUT', bucket: 'b', key: 'a/k', body: 'x' });
    const told = put.headers['x-amz-expiration'] ?? '';
    expect(told).toMatch(/^expiry-date="\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT", rule-id="three%20days"$/);
    const headers = { 'x-amz-copy-source': 'b/a/k' };
    const copy = await askS3(store, { method: 'PUT', bucket: 'b', key: 'a/copy', headers });
    const head = await askS3(store, { method: 'HEAD', bucket: 'b', key: 'a/k' });
    expect([copy, head].map((answer) => answer.headers['x-amz-expiration'])).toEqual([told, told]);
    const other = await askS3(store, { method: 'PUT', bucket: 'b', key: 'other', body: 'x' });
    expect(other.headers).not.toHaveProperty('x-amz-expiration');
  });

  it('are refused with the reason', async () => {
    const store = await openS3Store();
    const abort =
      '<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>';
    const tag = '<Tag><Key>a</Key><Value>b</Value></Tag>';
    const refused: [string, string[]][] = [
      ['MalformedXML', []],
      ['InvalidRequest', [rule('<Filter/>')]],
      ['MalformedXML', [rule(`<Filter/><Prefix/>${days}`)]],
      ['MalformedXML', [rule(`<Filter><Prefix>a</Prefix>${tag}</Filter>${days}`)]],
      ['MalformedXML', [rule('<Filter/><Expiration><Days>1</Days><Date>2026-02-01</Date></Expiration>')]],
      ['MalformedXML', [rule('<Filter/><Expiration/>')]],
      ['MalformedXML', [rule(days).replace('Enabled', 'On')]],
      ['MalformedXML', [rule(`${days}<Other/>`)]],
      ['InvalidArgument', [rule(days.replace('3', '0'))]],
      ['InvalidArgument', [rule('<Filter/><Expiration><Date>2026-02-01T01:00:00Z</Date></Expiration>')]],
      ['InvalidArgument', [rule(days), rule(days)]],
      ['InvalidTag', [rule(`<Filter><And>${tag}${tag}</And></Filter>${days}`)]],
      ['InvalidRequest', [rule(`<Filter>${tag}</Filter>${abort}`)]],
      ['NotImplemented', [rule('<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>')]],
    ];
    for (const [name, rules] of refused) await expect(set(store, ...rules), rules.join('')).rejects.toEqual(code(name));
    expect((await store.bucket('b')).lifecycle).toEqual([]);
  });
});
