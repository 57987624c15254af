import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../src/base/errors.ts';
import type { ClaimWish, HostClaim, LedgerEntry } from '../../src/ports/host-claim.ts';

/** One process of a cloud, connected to the host. */
export interface ClaimOwner {
  readonly claim: HostClaim;
  /** Something that changes the host, by a driver that is under the claim. */
  change(): Promise<void>;
}

export interface HostClaimSubject {
  /** A new process each time, all on the same host. */
  owner(): Promise<ClaimOwner>;
  close(): Promise<void>;
}

export const wish = (epoch: number, session: string, other: Partial<ClaimWish> = {}): ClaimWish => ({
  ...{ epoch, session, cloudId: 'cloud-1', hostId: 'h-1', workerId: 'w-1' },
  ...other,
});

const entry = (instanceId: string, generation: number, outcome?: object): LedgerEntry => ({
  ...{ v: 1, instanceId, commandId: `${instanceId}.${generation}.run.1`, generation, verb: 'run', atMs: generation },
  ...(outcome === undefined ? { state: 'begun', step: 'reset' } : { state: 'done', outcome }),
});

async function refusal(call: Promise<unknown>): Promise<CloudError> {
  const error = await call.then(
    () => new Error('it was not refused'),
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(CloudError);
  return error as CloudError;
}

/** What every HostClaim must do; run over each implementation. */
export function hostClaimContract(name: string, open: () => Promise<HostClaimSubject>): void {
  describe(`HostClaim contract: ${name}`, () => {
    let subject: HostClaimSubject;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());
    ownerTests(() => subject);
    strangerTests(() => subject);
    ledgerTests(() => subject);
  });
}

type Get = () => HostClaimSubject;

function ownerTests(subject: Get): void {
  it('is nobody’s at first, and says who took it', async () => {
    const { claim } = await subject().owner();
    expect(await claim.read()).toBeUndefined();
    expect(await claim.take(wish(3, 's1'))).toEqual({ endedCommands: 0, endedConnections: 0, ledger: [] });
    expect(await claim.read()).toMatchObject({ v: 1, ...wish(3, 's1') });
  });

  it('may be taken again by the same session and epoch, with nothing ended', async () => {
    const a = await subject().owner();
    await a.claim.take(wish(1, 's1'));
    await a.change();
    expect(await a.claim.take(wish(1, 's1'))).toMatchObject({ endedCommands: 0, before: { epoch: 1, session: 's1' } });
    await a.change();
  });

  it('goes to a later epoch; the host then refuses whatever the former owner changes', async () => {
    const [a, b] = [await subject().owner(), await subject().owner()];
    await a.claim.take(wish(1, 's1'));
    await a.change();
    expect(await b.claim.take(wish(2, 's2'))).toMatchObject({ before: { epoch: 1, session: 's1', hostId: 'h-1' } });
    await b.change();
    const acts = [() => a.change(), () => a.claim.record([entry('i-1', 1)], []), () => a.claim.release()];
    for (const act of acts) {
      expect((await refusal(act())).code).toBe('StaleEpoch');
    }
    const again = await refusal(a.claim.take(wish(1, 's1')));
    expect(again).toMatchObject({ code: 'StaleEpoch', retryable: false, details: { epoch: 2, session: 's2' } });
    expect(await b.claim.take(wish(2, 's2'))).toMatchObject({ ledger: [] });
  });

  it('has one session an epoch, whoever asks at once', async () => {
    const owners = await Promise.all([1, 2, 3].map(() => subject().owner()));
    const taken = await Promise.allSettled(owners.map(({ claim }, n) => claim.take(wish(7, `s${n}`))));
    expect(taken.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    const holder = taken.findIndex(({ status }) => status === 'fulfilled');
    expect(await owners[0]?.claim.read()).toMatchObject({ epoch: 7, session: `s${holder}` });
    await owners[holder]?.change();
  });
}

function strangerTests(subject: Get): void {
  it('is refused to another cloud and to another host record, and told whose it is', async () => {
    const [a, b] = [await subject().owner(), await subject().owner()];
    await a.claim.take(wish(1, 's1'));
    for (const other of [{ cloudId: 'cloud-2' }, { hostId: 'h-2' }, { cloudId: 'cloud-2', replaces: 'h-1' }]) {
      const error = await refusal(b.claim.take(wish(99, 's2', other)));
      expect(error).toMatchObject({ code: 'InvalidHost.Duplicate', details: { cloudId: 'cloud-1', hostId: 'h-1' } });
    }
    await a.change();
  });

  it('goes over to the host record that replaces its own', async () => {
    const [a, b] = [await subject().owner(), await subject().owner()];
    await a.claim.take(wish(9, 's1'));
    await b.claim.take(wish(1, 's2', { hostId: 'h-2', replaces: 'h-1' }));
    expect((await refusal(a.change())).code).toBe('StaleEpoch');
    await b.change();
  });

  it('is anybody’s after it was released, but not its former owner’s', async () => {
    const [a, b] = [await subject().owner(), await subject().owner()];
    await a.claim.take(wish(5, 's1'));
    await a.claim.record([entry('i-1', 1)], []);
    await a.claim.release();
    expect(await a.claim.read()).toBeUndefined();
    expect((await refusal(a.change())).code).toBe('StaleEpoch');
    expect(await b.claim.take(wish(1, 's9', { cloudId: 'cloud-2', hostId: 'h-7' }))).toMatchObject({ ledger: [] });
  });
}

function ledgerTests(subject: Get): void {
  it('keeps the last entry of each instance for the next owner, whatever is in it', async () => {
    const [a, b] = [await subject().owner(), await subject().owner()];
    await a.claim.take(wish(1, 's1'));
    const odd = { ok: false, error: { message: `it's "bad"\n\t\\ $(reboot) \u0000 ü` } };
    await a.claim.record([entry('i-1', 1), entry('i-2', 1, { ok: true }), entry('i-3', 1)], []);
    await a.claim.record([entry('i-1', 2, odd)], ['i-3', 'i-404']);
    const { ledger } = await b.claim.take(wish(2, 's2'));
    const sorted = [...ledger].sort((x, y) => x.instanceId.localeCompare(y.instanceId));
    expect(sorted).toEqual([entry('i-1', 2, odd), entry('i-2', 1, { ok: true })]);
  });

  it('takes many at once, and none', async () => {
    const a = await subject().owner();
    await a.claim.take(wish(1, 's1'));
    await a.claim.record([], []);
    const many = Array.from({ length: 200 }, (_, n) => entry(`i-${n}`, n + 1, { steps: ['x'.repeat(1000)] }));
    await a.claim.record(many, []);
    expect((await a.claim.take(wish(1, 's1'))).ledger).toHaveLength(200);
  });

  it('stays bounded, however often the same instances are written', async () => {
    const [a, b] = [await subject().owner(), await subject().owner()];
    await a.claim.take(wish(1, 's1'));
    const steps = ['x'.repeat(200_000)];
    for (let n = 1; n <= 25; n += 1) await a.claim.record([entry('i-1', n, { steps }), entry(`i-${n + 1}`, 1)], []);
    await a.claim.record([entry('i-1', 26, { ok: true })], ['i-2']);
    const { ledger } = await b.claim.take(wish(2, 's2'));
    expect(ledger.map(({ instanceId }) => instanceId)).toHaveLength(25);
    expect(ledger.find(({ instanceId }) => instanceId === 'i-1')).toEqual(entry('i-1', 26, { ok: true }));
  });
}
