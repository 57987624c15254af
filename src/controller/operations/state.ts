import { CloudError } from '../../base/errors.ts';
import { randomHex } from '../../base/random.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AdoptedRecord } from '../../domain/records.ts';
import { heldRecord } from '../hosts/held.ts';
import { heldView, stateDifferences } from '../state/state-differences.ts';
import type { ChangeHandler, ReadHandler } from './handler.ts';

export const describeStateDifferences: ReadHandler<'DescribeStateDifferences'> = ({ cloud }) => stateDifferences(cloud);

/** The cloud takes the restored store for what it is. Every process hears of it by the record that goes. */
export const adoptState: ChangeHandler<'AdoptState'> = {
  decide(draft, _input, { cloud, nowMs, operationId }) {
    draft.get(KEYS.held);
    const held = heldRecord(cloud.store);
    if (held === undefined) {
      throw new CloudError(
        'IncorrectState',
        'nothing waits to be adopted: the store is the one that was followed all along',
      );
    }
    const about = heldView(held);
    draft.del(KEYS.held);
    draft.put(KEYS.adopted, {
      v: 1,
      ...about,
      id: randomHex(cloud.random, 16),
      // Later than the one before, whatever the clock of who made that: by this the others tell them apart.
      atMs: Math.max(nowMs, 1 + (cloud.store.health().restored?.adoptedAtMs ?? 0)),
    } satisfies AdoptedRecord);
    const { counts } = stateDifferences(cloud);
    return { output: { held: about, counts, operationId }, targets: ['state'] };
  },
};
