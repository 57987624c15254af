import { expect, it } from 'vitest';
import { KEYS } from '../../../src/domain/keys.ts';
import type { ImageRecord } from '../../../src/domain/records.ts';
import { ADMIN, startSimCloud, STRANGER } from '../../support/sim-cloud.ts';

it('[sim] an image that others use stays, and its owner is not told what they have', async () => {
  const sim = await startSimCloud();
  try {
    const [image] = sim.store.range<ImageRecord>('image/');
    if (image === undefined) expect.fail('there is no image');
    await sim.call('ModifyImageAttribute', { ImageId: image.value.id, Public: true });
    await sim.store.txn({
      puts: [{ key: KEYS.project('other'), value: { v: 1, id: 'other', accountId: '123456789012', createdAtMs: 1 } }],
    });
    const id = (await sim.run({}, STRANGER)).instances[0]?.instanceId ?? '';
    const owner = { principal: { ...ADMIN.principal, roles: ['manager', 'member'] } };
    const refused = (meta?: typeof owner) =>
      sim.call('DeregisterImage', { ImageId: image.value.id }, meta).then(
        () => '',
        (error: unknown) => JSON.stringify([String(error), error]),
      );
    expect(await refused(owner)).toContain('an instance of another project');
    expect(await refused(owner)).not.toContain(id);
    expect(await refused()).toContain(id);
  } finally {
    await sim.close();
  }
});
