import { describe, expect, it } from 'vitest';
import { parseVolumeWords } from '../../../src/commands/support/volume-words.ts';

describe('--volume', () => {
  it.each([
    ['size=10,device=/dev/sdf', { Device: '/dev/sdf', Size: 10 }],
    ['device=vdb,size=1,keep', { Device: 'vdb', Size: 1, DeleteOnTermination: false }],
    ['device=sdc,snapshot=snap-1,type=gp2', { Device: 'sdc', SnapshotId: 'snap-1', VolumeType: 'gp2' }],
  ])('%s', (text, wanted) => {
    expect(parseVolumeWords(text)).toEqual(wanted);
  });

  it.each([
    ...['', 'size=10', 'size=ten,device=sdf', 'device=', 'device=sdf,device=sdg', 'device=sdf,keep=no', 'keep'],
    ...['device=sdf,size', 'device=sdf,colour=red', 'device=sdf,size=1.5', 'device=sdf,', 'toString=1,device=sdf'],
  ])('%j is refused with what it must be', (text) => {
    expect(() => parseVolumeWords(text)).toThrow(
      `--volume must be size=GIB,device=NAME[,snapshot=ID][,type=TYPE][,keep], not "${text}"`,
    );
  });
});
