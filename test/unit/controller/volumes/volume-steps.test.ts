import { describe, expect, it } from 'vitest';
import { afterVolumeStep, nextVolumeStep, volumeStepName } from '../../../../src/controller/volumes/volume-steps.ts';
import type { Modification, VolumeRecord } from '../../../../src/domain/volume.ts';
import { sampleAttachment, sampleVolume } from '../../../support/volume-samples.ts';

const MODIFYING: Modification = {
  state: 'modifying',
  fromGib: 8,
  fromType: 'standard',
  toGib: 10,
  startedAtMs: 5,
  operationId: 'op-grow',
};

const attaching = (patch: object = {}) =>
  sampleVolume('in-use', {
    attachment: sampleAttachment('attaching', { operation: { id: 'op-1', for: 'attach' }, ...patch }),
  });
const detaching = (patch: Partial<VolumeRecord> = {}) =>
  sampleVolume('in-use', { attachment: sampleAttachment('detaching'), ...patch });

const end = (nowMs: number, error?: string) => ({ nowMs, maxAttempts: 3, ...(error === undefined ? {} : { error }) });

describe('the next step of a volume', () => {
  it.each([
    ['create', sampleVolume('creating')],
    [undefined, sampleVolume('available')],
    [undefined, sampleVolume('error')],
    [undefined, sampleVolume('in-use')],
    ['attach', attaching()],
    ['detach', detaching()],
    ['detach', detaching({ modification: MODIFYING })],
    ['grow', sampleVolume('available', { modification: MODIFYING })],
    ['remove', sampleVolume('deleting')],
    [undefined, sampleVolume('deleting', { pendingSnapshots: ['snap-1'] })],
  ])('is %s', (step, record) => {
    expect(nextVolumeStep(record)).toBe(step);
  });

  it('has another name when it is for another attachment', () => {
    expect(volumeStepName(attaching())).not.toBe(volumeStepName(attaching({ askedAtMs: 2 })));
    expect(volumeStepName(sampleVolume('available'))).toBeUndefined();
  });
});

describe('after a step', () => {
  it('that was done there is nothing to do', () => {
    const done = [
      afterVolumeStep(sampleVolume('creating'), 'create', end(9)),
      afterVolumeStep(attaching(), 'attach', end(9)),
      afterVolumeStep(detaching(), 'detach', end(9)),
      afterVolumeStep(sampleVolume('available', { modification: MODIFYING }), 'grow', end(9)),
    ];
    for (const { next } of done) expect(next && nextVolumeStep(next)).toBeUndefined();
    expect(done.map(({ next }) => next?.state)).toEqual(['available', 'in-use', 'available', 'available']);
    expect(afterVolumeStep(sampleVolume('deleting'), 'remove', end(9)).next).toBeUndefined();
  });

  it('that failed it is tried again, later each time', () => {
    const first = afterVolumeStep(detaching(), 'detach', end(1000, 'no'));
    expect(first.next?.retry).toEqual({ step: 'detach', attempt: 1, notBeforeMs: 2000, lastError: 'no' });
    const second = afterVolumeStep(first.next ?? detaching(), 'detach', end(3000, 'no'));
    expect(second.next?.retry).toMatchObject({ attempt: 2, notBeforeMs: 5000 });
    const late = detaching({ retry: { step: 'detach', attempt: 40, notBeforeMs: 0, lastError: 'no' } });
    expect(afterVolumeStep(late, 'detach', end(0, 'no')).next?.retry).toMatchObject({
      attempt: 41,
      notBeforeMs: 60_000,
    });
    // What failed before was another step.
    const other = detaching({ retry: { step: 'attach', attempt: 2, notBeforeMs: 0, lastError: 'no' } });
    expect(afterVolumeStep(other, 'detach', end(0, 'no')).next?.retry).toMatchObject({ attempt: 1 });
  });

  const twice = (step: string) => ({ retry: { step, attempt: 2, notBeforeMs: 0, lastError: 'no' } });
  it('that failed to the last a volume in the making is in error, and one to be attached is detached first', () => {
    const made = afterVolumeStep(sampleVolume('creating', twice('create')), 'create', end(9, 'no room'));
    expect(made).toMatchObject({ next: { state: 'error' }, finished: { operationId: 'op-made' }, sourceFree: true });
    expect(made.next?.stateReason?.message).toBe('create failed 3 times; last: no room');
    const attached = afterVolumeStep({ ...attaching(), ...twice('attach') }, 'attach', end(9, 'no host'));
    expect(attached.next?.attachment).toMatchObject({ state: 'detaching', force: true });
    expect(attached.finished).toMatchObject({ operationId: 'op-1', error: 'attach failed 3 times; last: no host' });
    expect(attached.detached).toBeUndefined();
  });

  it('that failed to the last a volume that was to grow has its size, and what was claimed is given back', () => {
    const record = sampleVolume('available', { modification: MODIFYING, ...twice('grow') });
    const { next, releaseGib } = afterVolumeStep(record, 'grow', end(9, 'no room'));
    expect(next).toMatchObject({ sizeGib: 8, modification: { state: 'failed', endedAtMs: 9 } });
    expect(releaseGib).toBe(2);
  });

  it('a volume that was to go with its instance is deleted once it is detached', () => {
    const { next, detached } = afterVolumeStep(detaching({ deleteDetached: true }), 'detach', end(9));
    expect(next?.state).toBe('deleting');
    expect(next).not.toHaveProperty('attachment');
    expect(detached).toBe(true);
  });
});
