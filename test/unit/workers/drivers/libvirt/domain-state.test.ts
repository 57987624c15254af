import { describe, expect, it } from 'vitest';
import { lifecycleEvent, powerOf } from '../../../../../src/workers/drivers/libvirt/domain-state.ts';
import { parseCapabilities, versionText } from '../../../../../src/workers/drivers/libvirt/facts.ts';

const UUID = '00000000-0000-5000-8000-000000000001';

describe('powerOf', () => {
  it.each([
    [0, 0, { power: 'unknown' }],
    [1, 1, { power: 'running' }],
    [2, 0, { power: 'running' }],
    [3, 1, { power: 'paused' }],
    [3, 11, { power: 'unknown' }],
    [4, 1, { power: 'shutting-down' }],
    [5, 0, { power: 'shutoff', reason: 'unknown' }],
    [5, 1, { power: 'shutoff', reason: 'shutdown' }],
    [5, 2, { power: 'shutoff', reason: 'destroyed' }],
    [5, 3, { power: 'shutoff', reason: 'crashed' }],
    [5, 6, { power: 'shutoff', reason: 'failed' }],
    [5, 8, { power: 'shutoff', reason: 'daemon' }],
    [5, 99, { power: 'shutoff', reason: 'unknown' }],
    [6, 0, { power: 'crashed' }],
    [7, 0, { power: 'paused' }],
    [99, 0, { power: 'unknown' }],
  ])('reads state %i with reason %i', (state, reason, wanted) => {
    expect(powerOf(state, reason)).toEqual(wanted);
  });
});

describe('lifecycleEvent', () => {
  const event = (number: number, detail: number): unknown => {
    const seen = lifecycleEvent({ callbackId: 0, dom: { name: 'i-1', uuid: UUID, id: 1 }, event: number, detail });
    if (seen.kind !== 'domain') return seen;
    const { name: _name, uuid: _uuid, kind: _kind, ...rest } = seen;
    return rest;
  };

  it.each([
    [0, 1, { power: 'unknown', detail: 'defined/updated' }],
    [1, 0, { power: 'unknown', detail: 'undefined/removed' }],
    [2, 0, { power: 'running', detail: 'started/booted' }],
    [3, 2, { power: 'paused', detail: 'suspended/ioerror' }],
    [4, 1, { power: 'running', detail: 'resumed/migrated' }],
    [5, 0, { power: 'shutoff', reason: 'shutdown', detail: 'stopped/shutdown' }],
    [5, 1, { power: 'shutoff', reason: 'destroyed', detail: 'stopped/destroyed' }],
    [5, 3, { power: 'shutoff', reason: 'migrated', detail: 'stopped/migrated' }],
    [5, 42, { power: 'shutoff', reason: 'unknown', detail: 'stopped/42' }],
    [6, 1, { power: 'shutting-down', detail: 'shutdown/guest' }],
    [7, 0, { power: 'paused', detail: 'pmsuspended/memory' }],
    [8, 0, { power: 'crashed', detail: 'crashed/panicked' }],
    [77, 3, { power: 'unknown', detail: '77/3' }],
  ])('reads event %i with detail %i', (number, detail, wanted) => {
    expect(event(number, detail)).toEqual(wanted);
  });
});

describe('facts', () => {
  const capabilities = (body: string): string => `<capabilities><host>${body}</host></capabilities>`;
  const cpu = '<cpu><arch>x86_64</arch></cpu>';

  it('take the owner of disks from the DAC model', () => {
    const models =
      '<secmodel><model>apparmor</model><doi>0</doi><baselabel>x</baselabel></secmodel>' +
      `<secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+64055:+108</baselabel></secmodel>`;
    expect(parseCapabilities(capabilities(cpu + models))).toEqual({ arch: 'x86_64', qemuUid: 64055, qemuGid: 108 });
  });

  it.each(['', '<secmodel><model>dac</model></secmodel>', '<secmodel><model>none</model></secmodel>'])(
    'say what is missing when there is none: %s',
    (models) => {
      expect(() => parseCapabilities(capabilities(cpu + models))).toThrow(/no owner for disks/);
    },
  );

  it('print versions as people write them', () => {
    expect(versionText(7_002_022n)).toBe('7.2.22');
    expect(versionText(9_000_000n)).toBe('9.0.0');
    expect(versionText(10_010_001n)).toBe('10.10.1');
  });
});
