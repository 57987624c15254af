import { describe, expect, it } from 'vitest';
import { guardLines } from '../../../../../src/adapters/host-shell/guard-script.ts';
import { quoteArgv } from '../../../../../src/base/shell-quote.ts';
import {
  claimPlaces,
  enrolArgv,
  guardOf,
  parseTakeAnswer,
  recordArgv,
  recordInput,
  sessionTag,
  takeArgv,
} from '../../../../../src/workers/drivers/host-claim/claim-script.ts';
import { expectGolden } from '../../../../support/golden.ts';

const places = claimPlaces('/var/lib/novactl-host');
const claim = {
  ...{ v: 1 as const, epoch: 7, session: '0123abcd', cloudId: 'cloud-1', hostId: 'h-1', workerId: 'local' },
  atMs: 1_800_000_000_000,
};
const entry = {
  ...{ v: 1 as const, instanceId: 'i-1', commandId: 'c-1', generation: 4, verb: 'reboot', atMs: 5 },
  ...{ state: 'begun' as const, step: 'reset' },
};

describe('the scripts of a claim', () => {
  it('are these', () => {
    const take = takeArgv({ places, claim, replaces: 'h-0', overSsh: true });
    expectGolden('host-claim/take.sh', `${quoteArgv(take)}\n`);
    expectGolden('host-claim/enrol.sh', `${quoteArgv(enrolArgv(places, sessionTag(claim)))}\n`);
    expectGolden('host-claim/record.sh', `${quoteArgv(recordArgv(places))}\n`);
    expectGolden('host-claim/record.txt', recordInput([entry], ['i-2']));
    expectGolden('host-claim/guard.sh', `${guardLines(guardOf(places, claim)).join('\n')}\n`);
  });

  it('expect of the claim what the claim begins with', () => {
    const line = takeArgv({ places, claim, overSsh: false }).at(-1) ?? '';
    expect(line.startsWith(guardOf(places, claim).expect)).toBe(true);
    expect(line.startsWith(guardOf(places, { ...claim, epoch: 70 }).expect)).toBe(false);
    expect(line.startsWith(guardOf(places, { ...claim, session: '0123abc' }).expect)).toBe(false);
  });

  it('answer in lines', () => {
    expect(parseTakeAnswer('claimed\n\n3 1\n{"a":1}\n{"b":2}\n')).toEqual({
      ...{ kind: 'claimed', before: '', endedCommands: 3, endedConnections: 1 },
      ledger: ['{"a":1}', '{"b":2}'],
    });
    expect(parseTakeAnswer('held\nold\nsleep 5\ncat\n')).toEqual({ kind: 'held', before: 'old', more: 'sleep 5\ncat' });
    for (const text of ['', 'claimed', 'claimed\n\nmany\n', 'motd\nclaimed\n\n0 0\n']) {
      expect(parseTakeAnswer(text)).toBeUndefined();
    }
  });
});
