import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../src/base/errors.ts';
import type { CloudClient } from '../../src/client/cloud-client.ts';
import type { FakeBackend, SeenCall } from '../support/fake-cloud.ts';

export interface CloudClientSubject {
  readonly client: CloudClient;
  close(): Promise<void>;
}

const ID = 'i-0123456789abcdef0';
const TYPES = { instanceTypes: [{ instanceType: 'm1.tiny', vcpus: 1, memoryMib: 512, diskGib: 0 }], rev: 7 };

/** A cloud that remembers what it was asked. `ended` resolves when a stream was left. */
class Backend implements FakeBackend {
  readonly seen: SeenCall[] = [];
  readonly ended: Promise<void>;
  #end: () => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  unary(call: SeenCall): unknown {
    this.seen.push(call);
    if (call.name === 'DescribeInstanceTypes') return TYPES;
    if (call.name === 'StopInstances' && call.dryRun) throw new CloudError('DryRunOperation', 'it would be allowed');
    if (call.name === 'StopInstances') return { instances: [], operationId: 'op-0123456789abcdef0' };
    throw new CloudError('InvalidKeyPair.NotFound', 'there is no key pair k', { details: { parameter: 'KeyName' } });
  }

  async *stream(call: SeenCall, signal: AbortSignal): AsyncGenerator<unknown> {
    this.seen.push(call);
    try {
      yield { kind: 'gone', instanceId: ID };
      if (JSON.stringify(call.input).includes('terminated')) {
        yield { kind: 'done', instances: [] };
        return;
      }
      if (call.name === 'WatchOperation') throw new CloudError('Unavailable', 'the store is gone');
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
    } finally {
      this.#end();
    }
  }
}

async function failure(run: () => Promise<unknown>): Promise<CloudError> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(CloudError);
    return error as CloudError;
  }
  throw new Error('it did not fail');
}

/** What every CloudClient must do; run over the socket and in process. */
export function cloudClientContract(name: string, open: (backend: FakeBackend) => Promise<CloudClientSubject>): void {
  describe(`CloudClient contract: ${name}`, () => {
    let backend: Backend;
    let subject: CloudClientSubject;
    beforeEach(async () => {
      backend = new Backend();
      subject = await open(backend);
    });
    afterEach(async () => {
      await subject.client.close();
      await subject.close();
    });
    const parts = { client: () => subject.client, backend: () => backend };
    callTests(parts);
    streamTests(parts);
    uploadTests(parts);
  });
}

interface Parts {
  client(): CloudClient;
  backend(): Backend;
}

function callTests({ client, backend }: Parts): void {
  it('call: carries the input there and the output back', async () => {
    expect(await client().call('DescribeInstanceTypes', { InstanceTypes: ['m1.tiny'] })).toEqual(TYPES);
    expect(backend().seen[0]).toMatchObject({
      name: 'DescribeInstanceTypes',
      input: { InstanceTypes: ['m1.tiny'] },
      dryRun: false,
    });
  });

  it('call: carries token and reason, whatever letters the reason has', async () => {
    const reason = 'Störung: Regal 3 & 4\n→ „aus“';
    await client().call('StopInstances', { InstanceIds: [ID] }, { clientToken: 't-1', reason });
    expect(backend().seen[0]).toMatchObject({ clientToken: 't-1', reason });
  });

  it('call: a dry run answers DryRunOperation', async () => {
    const error = await failure(() => client().call('StopInstances', { InstanceIds: [ID] }, { dryRun: true }));
    expect(error.code).toBe('DryRunOperation');
  });

  it('call: an error keeps its code, text and details', async () => {
    const error = await failure(() => client().call('DeleteKeyPair', { KeyName: 'k' }));
    expect(error).toMatchObject({
      code: 'InvalidKeyPair.NotFound',
      message: 'there is no key pair k',
      details: { parameter: 'KeyName' },
    });
  });

  it('call: an aborted signal ends it with its reason', async () => {
    const reason = new Error('stop');
    const signal = AbortSignal.abort(reason);
    await expect(client().call('DescribeInstanceTypes', {}, { signal })).rejects.toBe(reason);
  });
}

function streamTests({ client, backend }: Parts): void {
  const collect = async (values: AsyncIterable<unknown>): Promise<unknown[]> => {
    const out: unknown[] = [];
    for await (const value of values) out.push(value);
    return out;
  };

  it('stream: gives each output and ends with the operation', async () => {
    const input = { InstanceIds: [ID], Until: ['terminated' as const] };
    expect(await collect(client().stream('WatchInstances', input))).toEqual([
      { kind: 'gone', instanceId: ID },
      { kind: 'done', instances: [] },
    ]);
    expect(backend().seen[0]).toMatchObject({ name: 'WatchInstances', input });
  });

  it('stream: an error in the middle comes after what went before', async () => {
    const got: unknown[] = [];
    const error = await failure(async () => {
      for await (const value of client().stream('WatchOperation', { OperationId: 'op-0123456789abcdef0' }))
        got.push(value);
    });
    expect(got).toHaveLength(1);
    expect(error).toMatchObject({ code: 'Unavailable', message: 'the store is gone' });
  });

  it('stream: leaving the loop ends it at the other side', async () => {
    for await (const value of client().stream('WatchInstances', { InstanceIds: [ID] })) {
      expect(value).toMatchObject({ kind: 'gone' });
      break;
    }
    await backend().ended;
  });

  it('stream: an aborted signal ends it with its reason', async () => {
    const aborter = new AbortController();
    const reason = new Error('stop');
    const read = async (): Promise<void> => {
      for await (const value of client().stream('WatchInstances', { InstanceIds: [ID] }, { signal: aborter.signal })) {
        expect(value).toMatchObject({ kind: 'gone' });
        aborter.abort(reason);
      }
    };
    await expect(read()).rejects.toBe(reason);
    await backend().ended;
  });
}

function uploadTests({ client }: Parts): void {
  const bytes = Buffer.alloc(3_000_000, 'novactl');
  const sha256 = createHash('sha256').update(bytes).digest('hex');

  it.each([
    ['whose size is known', bytes.length],
    ['of unknown size', undefined],
  ])('upload: a body %s arrives whole, with progress', async (_name, sizeBytes) => {
    const progress: number[] = [];
    const chunks = [bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)];
    const blob = await client().upload(Readable.from(chunks), { sizeBytes, onProgress: (sent) => progress.push(sent) });
    expect(blob).toMatchObject({ sizeBytes: bytes.length, sha256 });
    expect(blob.blobKey).toMatch(/^upload\/blob-/);
    expect(progress.at(-1)).toBe(bytes.length);
  });

  it('upload: a body that fails fails the upload', async () => {
    const broken = new Error('the disk is gone');
    const body = Readable.from(
      (async function* () {
        yield bytes.subarray(0, 1000);
        await Promise.resolve();
        throw broken;
      })(),
    );
    await expect(client().upload(body)).rejects.toBe(broken);
  });
}
