import { describe, expect, it } from 'vitest';
import type { PublicAddressRecord } from '../../../src/domain/address.ts';
import { ADDRESS_TRANSITIONS, addressTransition } from '../../../src/domain/address.ts';
import type { SnapshotRecord, SnapshotState } from '../../../src/domain/snapshot.ts';
import { SNAPSHOT_TRANSITIONS, snapshotTransition } from '../../../src/domain/snapshot.ts';
import type { Attachment, AttachmentState, VolumeState } from '../../../src/domain/volume.ts';
import {
  ATTACHMENT_TRANSITIONS,
  attachmentTransition,
  deviceSlot,
  VOLUME_TRANSITIONS,
  volumeTransition,
} from '../../../src/domain/volume.ts';
import { NOW_MS } from '../../support/instance-samples.ts';
import { sampleVolume } from '../../support/volume-samples.ts';

/** A change here is a change of what users may rely on. */
const LEGAL = {
  volume: [
    'creating -> available in-use error',
    'available -> in-use deleting',
    'in-use -> available deleting',
    'deleting ->',
    'error -> deleting',
  ],
  attachment: ['attaching -> attached detaching', 'attached -> detaching', 'detaching ->'],
  snapshot: ['pending -> completed error deleting', 'completed -> deleting', 'error -> deleting', 'deleting ->'],
  address: ['allocated -> associated', 'associated -> allocated'],
};

const lines = (table: Readonly<Record<string, readonly string[]>>): string[] =>
  Object.entries(table).map(([from, to]) => [`${from} ->`, ...to].join(' '));

describe('the tables of legal steps', () => {
  it('have these and no other', () => {
    expect({
      volume: lines(VOLUME_TRANSITIONS),
      attachment: lines(ATTACHMENT_TRANSITIONS),
      snapshot: lines(SNAPSHOT_TRANSITIONS),
      address: lines(ADDRESS_TRANSITIONS),
    }).toEqual(LEGAL);
  });

  const volumeStates = Object.keys(VOLUME_TRANSITIONS) as VolumeState[];
  it.each(volumeStates.flatMap((from) => volumeStates.map((to) => [from, to] as const)))(
    'a volume from %s to %s',
    (from, to) => {
      const record = sampleVolume(from);
      const go = (): unknown => volumeTransition(record, to, NOW_MS);
      if (from === to) expect(go()).toEqual(record);
      else if (VOLUME_TRANSITIONS[from].includes(to))
        expect(go()).toMatchObject({ state: to, stateChangedAtMs: NOW_MS });
      else expect(go).toThrow(`volume ${record.id} can't go from ${from} to ${to}`);
    },
  );

  const snapshotStates = Object.keys(SNAPSHOT_TRANSITIONS) as SnapshotState[];
  it.each(snapshotStates.flatMap((from) => snapshotStates.map((to) => [from, to] as const)))(
    'a snapshot from %s to %s',
    (from, to) => {
      const record = { id: 'snap-1', state: from, stateChangedAtMs: 1 } as SnapshotRecord;
      const go = (): unknown => snapshotTransition(record, to, NOW_MS);
      if (from === to) expect(go()).toEqual(record);
      else if (SNAPSHOT_TRANSITIONS[from].includes(to))
        expect(go()).toMatchObject({ state: to, stateChangedAtMs: NOW_MS });
      else expect(go).toThrow(`snapshot snap-1 can't go from ${from} to ${to}`);
    },
  );

  const attachmentStates = Object.keys(ATTACHMENT_TRANSITIONS) as AttachmentState[];
  it.each(attachmentStates.flatMap((from) => attachmentStates.map((to) => [from, to] as const)))(
    'an attachment from %s to %s',
    (from, to) => {
      const attachment = { state: from, sinceMs: 1 } as Attachment;
      const go = (): unknown => attachmentTransition(attachment, to, NOW_MS);
      if (from === to) expect(go()).toEqual(attachment);
      else if (ATTACHMENT_TRANSITIONS[from].includes(to)) expect(go()).toEqual({ state: to, sinceMs: NOW_MS });
      else expect(go).toThrow(`can't go from ${from} to ${to}`);
    },
  );

  it('an address is associated once, and free before it is again', () => {
    const association = { associationId: 'a', instanceId: 'i-1', privateAddress: '10.0.0.2', sinceMs: 1 };
    const free = { publicIp: '198.51.100.1' } as PublicAddressRecord;
    const held = addressTransition(free, association);
    expect(held).toEqual({ ...free, association });
    expect(addressTransition(held, undefined)).toEqual(free);
    expect(() => addressTransition(held, association)).toThrow("can't go from associated to associated");
    expect(() => addressTransition(free, undefined)).toThrow("can't go from allocated to allocated");
  });
});

describe('device names', () => {
  it.each([
    ['/dev/sdf', 'f'],
    ['sdf', 'f'],
    ['/dev/xvdf', 'f'],
    ['/dev/vdf', 'f'],
    ['/dev/sdf1', 'f1'],
    ['/dev/sda1', undefined],
    ['/dev/sdb', undefined],
    ['/dev/nvme0n1', undefined],
    ['/dev/sdff', undefined],
    ['', undefined],
  ])('%s is %s', (device, slot) => {
    expect(deviceSlot(device)).toBe(slot);
  });
});
