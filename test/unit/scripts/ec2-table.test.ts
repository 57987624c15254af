import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ec2Page, ec2Table } from '../../../scripts/ec2/table.ts';
import { PARTLY } from '../../../scripts/ec2/partly.ts';
import { EC2_ACTIONS } from '../../../src/controller/api/ec2/actions/index.ts';

const page = (): string => readFileSync(join(import.meta.dirname, '../../../docs/EC2.md'), 'utf8');

describe('the table of EC2 actions', () => {
  it('is what the actions are; `node scripts/ec2-table.ts` writes it anew', async () => {
    expect(page()).toBe(ec2Page(await ec2Table()));
  });

  it('has at least 120 that are done, wholly or partly, and each of them is there', () => {
    const done = [...page().matchAll(/^\| (\w+) \| (yes|partly) \|/gm)].map(([, action]) => action);
    expect(done.toSorted()).toEqual(Object.keys(EC2_ACTIONS).toSorted());
    expect(done.length).toBeGreaterThanOrEqual(120);
  });

  it('says nothing of actions that are not there', () => {
    expect(Object.keys(PARTLY).filter((action) => !Object.hasOwn(EC2_ACTIONS, action))).toEqual([]);
  });
});
