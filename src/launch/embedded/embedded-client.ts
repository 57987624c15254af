import type { Readable } from 'node:stream';
import { CloudError } from '../../base/errors.ts';
import { randomHex } from '../../base/random.ts';
import type {
  CallOptions,
  CloudClient,
  S3Exchange,
  S3Reply,
  UploadedBlob,
  UploadOptions,
} from '../../client/cloud-client.ts';
import { definitionOf } from '../../controller/operations/executor.ts';
import type { Principal } from '../../controller/operations/handler.ts';
import { inProject } from '../../controller/users/in-project.ts';
import type { ConsoleChannel } from '../../messages/console.ts';
import type {
  DuplexName,
  OperationInput,
  OperationOutput,
  StreamName,
  UnaryName,
} from '../../messages/operations/index.ts';
import { InProcessClient } from '../in-process-client.ts';
import type { ObjectsHere } from '../objects-here.ts';
import { embeddedObjects, embeddedS3 } from './embedded-objects.ts';
import type { EmbeddedParts } from './embedded-parts.ts';
import { hostsToObserve } from './needed-hosts.ts';
import { RecordedCloud } from './recorded-cloud.ts';
import { embeddedPrincipal, StateHolder } from './state-holder.ts';

/** Reads that look at machines themselves, of the cloud or not. */
const LOOKS_AT_MACHINES: ReadonlySet<string> = new Set(['CheckHost', 'GetCloudKey', 'GetHostKey']);

/**
 * The cloud with no daemon: a change takes the state lock and is done to its end in this process, at the latest in `close`; a read takes no lock and shows
 * what is recorded.
 */
export class EmbeddedClient implements CloudClient {
  readonly #parts: EmbeddedParts;
  readonly #holder: StateHolder;
  readonly #objects: ObjectsHere;
  #recorded: Promise<RecordedCloud | undefined> | undefined;

  constructor(parts: EmbeddedParts) {
    this.#parts = parts;
    this.#objects = embeddedObjects(parts);
    this.#holder = new StateHolder(parts, this.#objects);
  }

  async call<N extends UnaryName>(
    name: N,
    input: OperationInput<N>,
    options: CallOptions = {},
  ): Promise<OperationOutput<N>> {
    options.signal?.throwIfAborted();
    const changes = definitionOf(name).changes;
    if (changes) this.#refuseUnkept();
    if (changes || this.#holder.isHeld) {
      return this.#holder.use(name, input, (client) => client.call(name, input, options));
    }
    const cloud = await this.#reading();
    if (cloud === undefined) {
      if (!LOOKS_AT_MACHINES.has(name)) throw this.#noCloud();
      return this.#holder.use(name, input, (client) => client.call(name, input, options));
    }
    await cloud.observe(hostsToObserve(cloud.context.store, name, input));
    if (LOOKS_AT_MACHINES.has(name)) await cloud.ready();
    return (await this.#reader(cloud)).call(name, input, options);
  }

  async *stream<N extends StreamName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<OperationOutput<N>> {
    options.signal?.throwIfAborted();
    if (!this.#holder.isHeld) {
      const cloud = await this.#reading();
      if (cloud === undefined) throw this.#noCloud();
      await cloud.observe(hostsToObserve(cloud.context.store, name, input));
      yield* (await this.#reader(cloud)).stream(name, input, options);
      return;
    }
    const client = await this.#holder.enter(name, input);
    try {
      yield* client.stream(name, input, options);
    } finally {
      this.#holder.leave();
    }
  }

  /** Never under the lock: somebody may sit at a console for hours. */
  async duplex<N extends DuplexName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ConsoleChannel> {
    options.signal?.throwIfAborted();
    const cloud = await this.#reading();
    if (cloud === undefined) throw this.#noCloud();
    await cloud.observe(hostsToObserve(cloud.context.store, name, input));
    return (await this.#reader(cloud)).duplex(name, input, options);
  }

  upload(body: Readable, options?: UploadOptions): Promise<UploadedBlob> {
    this.#refuseUnkept();
    return this.#holder.use('upload', {}, (client) => client.upload(body, options));
  }

  /** Objects are no records of the cloud: its lock is not needed. They have one of their own. */
  async s3(request: S3Exchange): Promise<S3Reply> {
    request.signal?.throwIfAborted();
    let cloud = await this.#reading();
    if (cloud === undefined) {
      this.#refuseUnkept();
      // Makes the cloud, as every other change does.
      await this.#holder.use('s3', {}, () => Promise.resolve(undefined));
      await this.#holder.close();
      cloud = await this.#reading();
    }
    if (cloud === undefined) throw this.#noCloud();
    const { context } = cloud;
    const principal = await this.#principalIn(context);
    return embeddedS3(this.#objects, { context, principal }, { parts: this.#parts, request });
  }

  async close(): Promise<void> {
    try {
      await this.#holder.close();
    } finally {
      await this.#objects.close();
      await (await this.#recorded?.catch(() => undefined))?.close();
    }
  }

  async #reading(): Promise<RecordedCloud | undefined> {
    const before = this.#recorded;
    const known = await before;
    if (known !== undefined) {
      await known.refresh();
      return known;
    }
    // Another call may have begun to open it meanwhile; a second one would never be closed.
    if (this.#recorded === before) this.#recorded = this.#openRecorded();
    return this.#recorded;
  }

  /** One that could not be opened is tried again by the next call. */
  #openRecorded(): Promise<RecordedCloud | undefined> {
    return RecordedCloud.open(this.#parts).catch((error: unknown) => {
      this.#recorded = undefined;
      throw error;
    });
  }

  async #reader({ gateway, context }: RecordedCloud): Promise<InProcessClient> {
    const { random } = this.#parts;
    const blobs = {
      put: () => Promise.reject(new CloudError('InternalError', `an upload is a change, req-${randomHex(random, 8)}`)),
    };
    return new InProcessClient({
      ...{ gateway, blobs, random: context.random },
      principal: await this.#principalIn(context),
    });
  }

  #principalIn({ directory }: Pick<RecordedCloud['context'], 'directory'>): Promise<Principal> {
    const { user, project } = this.#parts;
    return inProject(directory, embeddedPrincipal(user), project);
  }

  #noCloud(): CloudError {
    const { stateDir, store } = this.#parts.config;
    if (store.engine === 'memory')
      return new CloudError('Unavailable', 'no cloud is running here; start it by: novactl up');
    return new CloudError(
      'Unavailable',
      `no cloud is running here, and ${stateDir} holds none yet; make one by: novactl up, or novactl host add --local`,
    );
  }

  /** What lives in the memory of a daemon alone can't be changed without it. */
  #refuseUnkept(): void {
    const { store, drivers } = this.#parts.config;
    if (store.engine !== 'memory' && drivers !== 'simulated') return;
    const what = store.engine === 'memory' ? 'its state is kept in memory' : 'its hosts are simulated';
    throw new CloudError('Unavailable', `no cloud is running here, and ${what}; start it by: novactl up`);
  }
}
