import { CloudError, errorText } from '../../base/errors.ts';
import { humanDuration } from '../../base/units.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';
import type { Principal } from '../../controller/operations/handler.ts';
import { inProject } from '../../controller/users/in-project.ts';
import { KEYS } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { AllInOne } from '../all-in-one.ts';
import { startAllInOne } from '../all-in-one.ts';
import { InProcessClient } from '../in-process-client.ts';
import type { ObjectsHere } from '../objects-here.ts';
import { openStorePatiently } from '../open-store-patiently.ts';
import { workerDrivers } from '../worker-drivers.ts';
import { awaitWorker } from './await-worker.ts';
import type { EmbeddedParts } from './embedded-parts.ts';
import { hostsToServe } from './needed-hosts.ts';
import { settle, type Settled } from './settle.ts';
import { failedOperation } from './unfinished.ts';

/** The error of a change that a daemon came before. */
export const DAEMON_CAME = { daemon: 'present' } as const;

/** Placement chooses among the hosts that answer: once one does, the others have this long. */
const OTHER_HOSTS_MS = 1000;
const FIRST_HOST_MS = 30_000;
const LOOK_MS = 10;

interface Held {
  readonly cloud: AllInOne;
  readonly client: InProcessClient;
  readonly wanted: Set<string>;
}

export function embeddedPrincipal(user: string): Principal {
  return { name: `${user}@local`, projectId: 'admin', roles: ['cloudadmin'], from: 'embedded' };
}

/**
 * The state lock and, while it is held, a whole cloud in this process. Taken by the first user; when the last one has left, what the operations set going
 * is done to its end, and the lock is let go.
 */
export class StateHolder {
  readonly #parts: EmbeddedParts;
  readonly #objects: ObjectsHere;
  readonly #operations = new Set<string>();
  #held: Promise<Held> | undefined;
  #users = 0;
  #finishing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: unknown;
  /** Nothing can be written any more, so nothing is waited for. */
  readonly #poisoned = new AbortController();

  constructor(parts: EmbeddedParts, objects: ObjectsHere) {
    this.#parts = parts;
    this.#objects = objects;
  }

  get isHeld(): boolean {
    return this.#held !== undefined && this.#closing === undefined;
  }

  /** Runs with the hosts that the operation needs at hand. CloudError 'LockBusy'; 'Unavailable' with DAEMON_CAME in its details. */
  async use<T>(operation: string, input: unknown, run: (client: InProcessClient) => Promise<T>): Promise<T> {
    const client = await this.enter(operation, input);
    try {
      const output = await run(client);
      const { operationId } = (output ?? {}) as { operationId?: unknown };
      if (typeof operationId === 'string') this.#operations.add(operationId);
      return output;
    } finally {
      this.leave();
    }
  }

  /** To be followed by one `leave`, unless it rejects. */
  async enter(operation: string, input: unknown): Promise<InProcessClient> {
    this.#users += 1;
    try {
      await this.#closing;
      this.#held ??= this.#take(operation, input).catch((error: unknown) => {
        this.#held = undefined;
        throw error;
      });
      const { cloud, client, wanted } = await this.#held;
      await this.#serve(cloud.context, wanted, operation, input);
      return client;
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  leave(): void {
    this.#users -= 1;
    this.#finish();
  }

  /** Resolves when the work is done and the lock let go; throws what went wrong with it. */
  async close(): Promise<void> {
    while (this.#finishing !== undefined) await this.#finishing;
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  #finish(): void {
    if (this.#users > 0 || this.#held === undefined || this.#finishing !== undefined) return;
    this.#finishing = this.#end(this.#held)
      .catch((error: unknown) => (this.#failure ??= error))
      .then(() => {
        this.#finishing = undefined;
        this.#finish();
      });
  }

  async #end(holding: Promise<Held>): Promise<void> {
    const { cloud } = await holding;
    const { timeoutMs, signal, progress } = this.#parts;
    const settled = await settle(cloud.context, {
      operationIds: this.#operations,
      timeoutMs,
      signal: AbortSignal.any([signal, this.#poisoned.signal]),
      interrupted: () => this.#users > 0,
      onProgress: (left) => {
        const step = (id: string): string => cloud.context.observations.progressOf(id)?.step ?? '';
        const words = left.slice(0, 2).map(({ id, text }) => `${text} ${step(id)}`.trim());
        progress(`${words.join(', ')}${left.length > 2 ? ` and ${left.length - 2} more` : ''}`);
      },
    });
    if (this.#users > 0) return;
    progress('');
    const failure = this.#judge(cloud.context, settled);
    this.#closing = cloud.close().finally(() => {
      this.#held = undefined;
      this.#closing = undefined;
    });
    await this.#closing;
    if (failure !== undefined) throw failure;
  }

  #judge(context: ControllerContext, { end, own }: Settled): unknown {
    const left = own.map(({ text }) => text).join(', ');
    const later = 'it is recorded, and the next command that needs the host, or novactl up, goes on with it';
    switch (end) {
      case 'called':
      case 'settled':
        return failedOperation(context, this.#operations);
      case 'aborted':
        if (left === '') return undefined;
        this.#parts.say(`unfinished: ${left}; ${later}`);
        return this.#failure ?? this.#parts.signal.reason;
      case 'timeout':
        return new CloudError('Timeout', `unfinished after ${humanDuration(this.#parts.timeoutMs)}: ${left}; ${later}`);
      case 'no-host':
        return new CloudError('Unavailable', `unfinished: ${left}; ${later}`);
    }
  }

  async #take(operation: string, input: unknown): Promise<Held> {
    const parts = this.#parts;
    const { config, clock, random, logger, signal, command, user, timeoutMs } = parts;
    const onPoison = (error: CloudError): void => {
      this.#failure ??= error;
      this.#poisoned.abort(error);
    };
    const store = await openStorePatiently(
      config,
      { clock, random, logger, onPoison, holder: { command, user, kind: 'command' } },
      {
        clock,
        signal,
        timeoutMs,
        worth: () => !parts.noWaitLock,
        onWait: (holder) => parts.say(`waiting for ${holder}`),
        meanwhile: async () => {
          if (!(await parts.daemonAnswers())) return;
          throw new CloudError('Unavailable', 'a daemon has taken over', { details: DAEMON_CAME });
        },
      },
    );
    if (store.get(KEYS.cloud) === undefined) parts.say(`made a new cloud in ${config.stateDir}`);
    const wanted = new Set(hostsToServe(store, operation, input));
    try {
      const cloud = await startAllInOne({
        ...{ config, clock, random, logger, version: parts.version, roles: ['embedded'] },
        ...workerDrivers({ config, clock, random, logger }),
        objects: this.#objects,
        onPoison,
        store,
        wanted: (hostId) => wanted.has(hostId),
      });
      await awaitWorker(cloud.context);
      const principal = await inProject(cloud.context.directory, embeddedPrincipal(user), parts.project);
      return {
        cloud,
        client: new InProcessClient({ gateway: cloud.gateway, blobs: cloud.blobs, random, principal }),
        wanted,
      };
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Hosts that no operation before has needed are opened now. Only placement waits for them. */
  async #serve(context: ControllerContext, wanted: Set<string>, operation: string, input: unknown): Promise<void> {
    const needed = hostsToServe(context.store, operation, input);
    for (const hostId of needed) {
      if (wanted.has(hostId)) continue;
      wanted.add(hostId);
      context.workers.open(hostId).catch((error: unknown) => {
        context.logger.warn('host can not be opened', { hostId, error: errorText(error) });
      });
    }
    if (operation === 'RunInstances') await firstHosts(context, needed, this.#parts.signal);
  }
}

/** Resolves when all hosts that take instances have said how they are; one that does not is not waited for when others do. */
async function firstHosts(context: ControllerContext, hostIds: readonly string[], signal: AbortSignal): Promise<void> {
  const { store, observations, clock } = context;
  const ids = hostIds.filter((id) => store.get<HostRecord>(KEYS.host(id))?.value.state === 'up');
  const endMs = clock.monotonicMs() + FIRST_HOST_MS;
  let enoughMs = endMs;
  while (clock.monotonicMs() < Math.min(endMs, enoughMs)) {
    const reports = ids.map((id) => observations.host(id));
    if (reports.every((report) => report !== undefined)) return;
    if (enoughMs === endMs && reports.some((report) => report?.up === true))
      enoughMs = clock.monotonicMs() + OTHER_HOSTS_MS;
    await clock.sleep(LOOK_MS, signal);
  }
}
