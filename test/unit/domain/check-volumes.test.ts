import { describe, expect, it } from 'vitest';
import { checkRecords } from '../../../src/domain/check-records.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import { sampleAttachment, sampleVolume } from '../../support/volume-samples.ts';

const INSTANCE = sampleAttachment('attached').instanceId;
const VOLUME = sampleVolume('available').id;
const ADDRESS = { v: 1, publicIp: '198.51.100.7', allocationId: 'eipalloc-1', projectId: 'lab', domain: 'vpc' };
const association = { associationId: 'a', instanceId: INSTANCE, privateAddress: '10.0.0.2', sinceMs: 1 };
const snapshot = { v: 1, id: 'snap-1', projectId: 'lab', volumeId: VOLUME, sizeGib: 1, state: 'pending' };

/** What is wrong with the volumes and addresses, in the order of the records. */
const problems = (...records: [string, object][]): string[] =>
  checkRecords(records.map(([key, value]) => ({ key, value })));

describe('what does not add up', () => {
  it.each<[string, [string, object][], string[]]>([
    ['nothing in a free volume', [[KEYS.volume(VOLUME), sampleVolume('available')]], []],
    [
      'a volume in use that is nowhere',
      [[KEYS.volume(VOLUME), { ...sampleVolume('in-use'), attachment: undefined }]],
      [`volume/${VOLUME} is in-use, and not attached`],
    ],
    [
      'a volume that is attached to nothing',
      [[KEYS.volume(VOLUME), sampleVolume('in-use')]],
      [`volume/${VOLUME} is attached to ${INSTANCE}, which is no more`],
    ],
    [
      'nothing in one that is being detached from what is no more',
      [[KEYS.volume(VOLUME), sampleVolume('in-use', { attachment: sampleAttachment('detaching') })]],
      [],
    ],
    [
      'a device that nothing is at',
      [
        [KEYS.instanceVolumes(INSTANCE), { v: 1, volumes: { f: VOLUME } }],
        [KEYS.volume(VOLUME), sampleVolume('available')],
      ],
      [`instance-volumes/${INSTANCE} has ${VOLUME} at f, where it is not`],
    ],
    [
      'a snapshot to be made of a volume that does not wait',
      [
        [KEYS.snapshot('snap-1'), snapshot],
        [KEYS.volume(VOLUME), sampleVolume('available')],
      ],
      [`snapshot/snap-1 is to be made of ${VOLUME}, which does not wait`],
    ],
    [
      'a volume that waits for a snapshot that there is not',
      [[KEYS.volume(VOLUME), sampleVolume('available', { pendingSnapshots: ['snap-1'] })]],
      [`volume/${VOLUME} waits for snap-1, which is no snapshot of it`],
    ],
    [
      'a volume to be made of a snapshot that does not wait',
      [[KEYS.volume(VOLUME), sampleVolume('creating', { snapshotId: 'snap-2' })]],
      [`volume/${VOLUME} is to be made of snap-2, which does not wait`],
    ],
    ['nothing in a free address', [[KEYS.publicAddress(ADDRESS.publicIp), ADDRESS]], []],
    [
      'an address of an instance that is no more',
      [[KEYS.publicAddress(ADDRESS.publicIp), { ...ADDRESS, association }]],
      [
        `public-address/198.51.100.7 is of ${INSTANCE}, which is no more`,
        `public-address/198.51.100.7 is of ${INSTANCE}, which has none`,
      ],
    ],
    [
      "an instance's address that is not its",
      [[KEYS.instanceAddress(INSTANCE), { v: 1, publicIp: '198.51.100.9' }]],
      [`instance-address/${INSTANCE} has 198.51.100.9, which is not its`],
    ],
    [
      'a record that lacks something',
      [['volume/vol-1', { v: 1, id: 'vol-1' }]],
      ['volume/vol-1 lacks projectId, sizeGib, zone, state'],
    ],
  ])('%s', (_what, records, wrong) => {
    expect(problems(...records)).toEqual(wrong);
  });
});
