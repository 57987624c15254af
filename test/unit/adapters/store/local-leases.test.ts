import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';

it('keys of leases do not outlive the process that owned the folder', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'novactl-lease-'));
  const open = () => openFileStore({ dir, clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger });
  try {
    const first = await open();
    const lease = await first.lease(10_000);
    const leased = Array.from({ length: 80 }, (_, n) => ({ key: `alive/controller/c${n}`, value: n, lease }));
    await first.txn({ puts: [...leased, { key: 'kept', value: 1 }] });
    await first.txn({ puts: leased.map((each) => ({ ...each, key: `${each.key}-more` })) });
    await first.close();
    const second = await open();
    expect(second.range('').map(({ key }) => key)).toEqual(['kept']);
    const { rev } = second;
    await second.close();
    const third = await open();
    expect(third.rev).toBe(rev);
    await third.close();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
