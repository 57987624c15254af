import { fromJSON } from '@grpc/proto-loader';
import { Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import type { CallOptions } from './etcd-api.ts';
import { ETCD_SCHEMA } from './etcd-schema.ts';
import type { EtcdServer, EtcdServers } from './grpc-endpoints.ts';
import { grpcProblem } from './grpc-problems.ts';

interface Method {
  readonly path: string;
  readonly write: (request: object) => Buffer;
  readonly read: (bytes: Buffer) => object;
}

/** 64-bit numbers as text, since a double rounds them; enumerations are numbers in the schema. */
const DEFINITION = fromJSON(ETCD_SCHEMA, { longs: String, defaults: true, keepCase: true });

function method(service: string, name: string): Method {
  const found = DEFINITION[`etcdserverpb.${service}`];
  const definition = found === undefined || 'format' in found ? undefined : found[name];
  if (definition === undefined || typeof definition === 'function') throw new Error(`no call ${service}.${name}`);
  return {
    path: definition.path,
    write: definition.requestSerialize,
    read: definition.responseDeserialize,
  };
}

export const METHODS = {
  range: method('KV', 'Range'),
  txn: method('KV', 'Txn'),
  watch: method('Watch', 'Watch'),
  leaseGrant: method('Lease', 'LeaseGrant'),
  leaseRevoke: method('Lease', 'LeaseRevoke'),
  leaseKeepAlive: method('Lease', 'LeaseKeepAlive'),
  alarm: method('Maintenance', 'Alarm'),
} as const;

export type MethodName = keyof typeof METHODS;

export type EtcdStream = ReturnType<typeof openStream>;

function openStream(client: Client, name: MethodName, deadline: { deadline?: number }) {
  const { path, write, read } = METHODS[name];
  return client.makeBidiStreamRequest(path, write, read, leaderWanted(), deadline);
}

/** A member that has lost its leader answers with an error at once, instead of going silent. */
function leaderWanted(): Metadata {
  const metadata = new Metadata();
  metadata.set('hasleader', 'true');
  return metadata;
}

/** The calls that are under way, so that closing ends them. */
export class GrpcCalls {
  readonly #servers: EtcdServers;
  readonly #clock: Clock;
  readonly #underWay = new Set<{ cancel(): void }>();
  #closed = false;

  constructor(servers: EtcdServers, clock: Clock) {
    this.#servers = servers;
    this.#clock = clock;
  }

  /** One question, one answer. */
  unary<Answer extends object>(name: MethodName, request: object, { timeoutMs }: CallOptions): Promise<Answer> {
    return this.#once<Answer>((server, done) => {
      const { path, write, read } = METHODS[name];
      const deadline = this.#clock.nowMs() + timeoutMs;
      return server.client.makeUnaryRequest(path, write, read, request, leaderWanted(), { deadline }, (error, answer) =>
        done(error, answer),
      );
    });
  }

  /** The first answer on a stream of its own, which is then over. */
  firstOf<Answer extends object>(name: MethodName, request: object, { timeoutMs }: CallOptions): Promise<Answer> {
    return this.#once<Answer>((server, done) => {
      const stream = openStream(server.client, name, { deadline: this.#clock.nowMs() + timeoutMs });
      stream.on('data', (answer: object) => done(null, answer));
      stream.on('error', (error: ServiceError) => done(error));
      stream.on('end', () => done({ code: status.UNKNOWN, details: 'the stream ended without an answer' }));
      stream.write(request);
      stream.end();
      return stream;
    });
  }

  /** A stream that lives until it is cancelled. The caller says how it ended. */
  stream(name: MethodName): { readonly server: EtcdServer; readonly stream: EtcdStream } {
    this.#assertOpen();
    const { current: server } = this.#servers;
    const stream = openStream(server.client, name, {});
    this.#underWay.add(stream);
    return { server, stream };
  }

  /** A stream is over; with what error, if any. Returns what that means. */
  ended(
    server: EtcdServer,
    stream: EtcdStream,
    failure?: Pick<ServiceError, 'code' | 'details'>,
  ): CloudError | undefined {
    this.#underWay.delete(stream);
    return failure === undefined ? undefined : this.#failed(server, failure);
  }

  answered(): void {
    this.#servers.answered();
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#underWay) call.cancel();
    this.#underWay.clear();
    this.#servers.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new CloudError('Unavailable', 'the connection to etcd is closed: this process is ending');
  }

  #failed(server: EtcdServer, failure: Pick<ServiceError, 'code' | 'details'>): CloudError {
    const { error, elsewhere } = grpcProblem(failure, server.url);
    if (elsewhere && !this.#closed) this.#servers.failed(server, error);
    return error;
  }

  async #once<Answer extends object>(
    begin: (
      server: EtcdServer,
      done: (failure: Pick<ServiceError, 'code' | 'details'> | null, answer?: object) => void,
    ) => { cancel(): void },
  ): Promise<Answer> {
    this.#assertOpen();
    const { current: server } = this.#servers;
    let call: { cancel(): void } | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        let settled = false;
        call = begin(server, (failure, answer) => {
          // A stream ends after its answer, too.
          if (settled) return;
          settled = true;
          if (failure !== null) reject(this.#failed(server, failure));
          else resolve(answer as Answer);
        });
        this.#underWay.add(call);
      }).then((answer) => {
        this.#servers.answered();
        return answer;
      });
    } finally {
      if (call !== undefined) this.#underWay.delete(call);
    }
  }
}
