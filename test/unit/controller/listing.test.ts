import { describe, expect, it } from 'vitest';
import { type Asked, listed, type Listing } from '../../../src/controller/operations/listing.ts';

interface Row {
  readonly id: string;
  readonly colours: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
}

const ROWS: readonly Row[] = [
  { id: 'c', colours: ['red'], tags: { Name: 'one', team: 'a' } },
  { id: 'a', colours: ['red', 'blue'], tags: { Name: 'two' } },
  { id: 'd', colours: [], tags: {} },
  { id: 'b', colours: ['green'], tags: { Name: 'o*e' } },
];

const LISTING: Listing<Row> = {
  parameter: 'RowId',
  notFound: 'InvalidVpcID.NotFound',
  idOf: ({ id }) => id,
  tagsOf: ({ tags }) => tags,
  fields: { colour: ({ colours }) => colours, 'row-id': ({ id }) => id },
};

const ids = (asked: Asked): string[] => listed(ROWS, asked, LISTING).rows.map(({ id }) => id);
const by = (Name: string, ...Values: string[]) => ({ Filters: [{ Name, Values }] });

describe('a listing', () => {
  it('comes in the order of ids, in pages whose token outlives its row', () => {
    const first = listed(ROWS, { MaxResults: 2 }, LISTING);
    expect(first.rows.map(({ id }) => id)).toEqual(['a', 'b']);
    const NextToken = first.nextToken ?? '';
    const left = ROWS.filter(({ id }) => id !== 'b');
    expect(listed(left, { MaxResults: 2, NextToken }, LISTING)).toEqual({ rows: [ROWS[0], ROWS[2]] });
    expect(
      listed([...ROWS, { id: 'bb', colours: [], tags: {} }], { MaxResults: 1, NextToken }, LISTING).rows[0]?.id,
    ).toBe('bb');
  });

  it.each([
    [by('colour', 'red'), ['a', 'c']],
    [by('colour', 'b*', 'gre?n'), ['a', 'b']],
    [by('tag:Name', 'o?e'), ['b', 'c']],
    [by('tag:Name', 'o\\*e'), ['b']],
    [by('tag:Name', 'O*'), []],
    [by('tag-key', 'team'), ['c']],
    [by('tag-value', 'two'), ['a']],
    [by('tag:constructor', '*'), []],
    [{ Filters: [...by('colour', 'red').Filters, ...by('row-id', 'a').Filters] }, ['a']],
    [{ ids: ['c', 'a'], ...by('colour', 'blue') }, ['a']],
    [{ ids: [] }, ['a', 'b', 'c', 'd']],
  ] as readonly [Asked, string[]][])('%j finds %j', (asked, found) => {
    expect(ids(asked)).toEqual(found);
  });

  it.each([
    [{ ids: ['a', 'x', 'y'] }, 'InvalidVpcID.NotFound', 'RowId: there is no x, y'],
    [
      by('shape', 'round'),
      'InvalidParameterValue',
      'there is no filter "shape"; there are: colour, row-id, tag:<key>, tag-key',
    ],
    [by('toString', 'x'), 'InvalidParameterValue', 'there is no filter "toString"'],
    [{ NextToken: 'x' }, 'InvalidParameterValue', 'NextToken: is not a token'],
    [
      { NextToken: Buffer.from('OtherId/a').toString('base64url') },
      'InvalidParameterValue',
      'NextToken: is not a token',
    ],
  ] as readonly [Asked, string, string][])('%j is refused as %s', (asked, code, message) => {
    expect(() => ids(asked)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});
