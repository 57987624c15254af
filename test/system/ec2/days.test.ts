import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PREFIX } from '../../../src/domain/keys.ts';
import { DAY_CLIENTS, PYTHON, whyNoClient } from '../../support/ec2-clients.ts';
import { exactChecks, instancesOf } from '../support/exact-checks.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';
import { DAY_MS, Ec2Lab } from './ec2-lab.ts';

const missing = namespaceHostsMissing();

/** Boots a guest and looks into it; all others do with guests that say one line. */
const BOOTS = { ...DAY_CLIENTS.find(({ id }) => id === 'boto3'), id: 'guest', script: 'guest.py' };
/** Those that take longest begin. */
const CLIENTS = [
  ...DAY_CLIENTS.slice(0, 2),
  { needs: '', from: '', command: PYTHON, ...BOOTS, name: 'boto3, with a guest that boots' },
  ...DAY_CLIENTS.slice(2),
];

/** What real hosts can't have yet. */
const ABSENT = [PREFIX.securityGroup, PREFIX.volume, PREFIX.snapshot, PREFIX.publicAddress, PREFIX.vpc];

describe.skipIf(missing !== undefined)(
  `EC2 clients and guests on two hosts over SSH [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let lab: Ec2Lab;

    beforeAll(async () => {
      lab = await Ec2Lab.start(CLIENTS.filter((client) => whyNoClient(client) === undefined));
    });
    afterAll(async () => {
      await lab.system.destroy();
    });

    it.concurrent.for(CLIENTS)('pass a day by $name', { timeout: DAY_MS + 5000 }, async (client, { skip }) => {
      const absent = whyNoClient(client);
      if (absent !== undefined) skip(absent);
      const { code, output } = await lab.run(client);
      expect(code, output.slice(-4000)).toBe(0);
    });

    it('leave no domain, disk or port on a host, and no record of what hosts have none of', async () => {
      expect(await exactChecks(lab.system)).toEqual([]);
      expect([...(await lab.system.domains()).keys()]).toEqual([]);
      const { made, stored } = await lab.system.withRecords((records) => ({
        made: instancesOf(records),
        stored: ABSENT.flatMap((prefix) => records.range(prefix).map(({ key }) => key)),
      }));
      expect(stored).toEqual([]);
      // Six a day, two by Ansible, one that boots: what was refused made none.
      const counts = CLIENTS.filter((client) => whyNoClient(client) === undefined).map(({ id }): [string, number] => [
        id,
        made.filter(({ projectId }) => projectId === id).length,
      ]);
      const wanted: Record<string, number> = { ansible: 2, boto3: 7, guest: 1 };
      expect(counts).toEqual(counts.map(([id]) => [id, wanted[id] ?? 6]));
      expect(new Set(made.map(({ hostId }) => hostId)).size).toBe(2);
    });
  },
);
