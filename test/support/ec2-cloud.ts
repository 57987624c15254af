import { request } from 'node:http';
import { silentLogger, type Logger } from '../../src/base/logger.ts';
import { signRequest, type AccessKey } from '../../src/base/signature/sign-request.ts';
import { parseXml, xmlFind, xmlText, type XmlElement } from '../../src/base/xml.ts';
import type { Ec2Edge } from '../../src/controller/api/ec2/ec2-edge.ts';
import { Ec2Server, type Ec2Times } from '../../src/controller/api/ec2/ec2-server.ts';
import { createEc2Edge } from '../../src/launch/ec2.ts';
import { ConfigSchema } from '../../src/launch/config/schema.ts';
import { searchText, watchFor } from './canaries.ts';
import { startSimCloud, type SimCloud, type SimCloudOptions } from './sim-cloud.ts';

export interface Ec2Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly xml: XmlElement;
  /** Of a refusal; empty else. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
}

export interface Ec2SendOptions {
  readonly method?: string;
  /** Path and query. */
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Percent-encoded as RFC 3986 has it. */
export const quote = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

export const formOf = (parameters: Readonly<Record<string, string>>): string =>
  Object.entries(parameters)
    .map(([name, value]) => `${quote(name)}=${quote(value)}`)
    .join('&');

export function replyOf(status: number, headers: Ec2Reply['headers'], text: string): Ec2Reply {
  const xml = parseXml(text);
  const error = xmlFind(xml, 'Errors', 'Error');
  return {
    ...{ status, headers, text, xml },
    code: (error && xmlText(error, 'Code')) ?? '',
    message: (error && xmlText(error, 'Message')) ?? '',
    requestId: xmlText(xml, 'RequestID') ?? xmlText(xml, 'requestId') ?? '',
  };
}

export interface Ec2CloudOptions extends SimCloudOptions {
  /** Keys of the section `ec2`. */
  readonly ec2?: Record<string, unknown>;
  readonly limits?: Ec2Times;
}

/** The EC2 API by plain HTTP on a port of its own, over simulated hosts, in this process, with an access key of the first user. */
export class Ec2Cloud {
  readonly sim: SimCloud;
  readonly edge: Ec2Edge;
  readonly port: number;
  readonly key: AccessKey;
  readonly #server: Ec2Server;

  private constructor(parts: { sim: SimCloud; edge: Ec2Edge; port: number; key: AccessKey; server: Ec2Server }) {
    this.sim = parts.sim;
    this.edge = parts.edge;
    this.port = parts.port;
    this.key = parts.key;
    this.#server = parts.server;
  }

  static async start({ ec2, limits, ...options }: Ec2CloudOptions = {}): Promise<Ec2Cloud> {
    const sim = await startSimCloud({ ...options, config: { ...options.config, ec2 } });
    const { clock, random, stateDir } = sim;
    const logger: Logger = options.logger ?? silentLogger;
    const config = ConfigSchema.parse({ drivers: 'simulated', ...options.config, ec2, stateDir });
    const edge = createEc2Edge(sim.cloud, { config, clock, random, logger });
    const listen = { host: '127.0.0.1', port: 0 };
    const server = new Ec2Server({ edge, logger, listen, ...(limits && { limits }) });
    const port = await server.start();
    const { accessKey, secretAccessKey } = await sim.call('CreateAccessKey', {});
    watchFor('secret access key', secretAccessKey);
    return new Ec2Cloud({ sim, edge, port, server, key: { accessKeyId: accessKey.accessKeyId, secretAccessKey } });
  }

  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The headers of a request by POST, signed by version 4. */
  signed(body: string, more: Partial<Parameters<typeof signRequest>[0]> = {}, key = this.key): Record<string, string> {
    return signRequest(
      {
        ...{ method: 'POST', target: '/', region: 'nova', service: 'ec2', nowMs: this.sim.clock.nowMs() },
        headers: { host: this.authority, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
        body: Buffer.from(body),
        ...more,
      },
      key,
    );
  }

  /** Sends it as it is. Rejects when the connection ends without an answer. */
  send({ method = 'POST', target = '/', headers = {}, body = '' }: Ec2SendOptions): Promise<Ec2Reply> {
    return new Promise((resolve, reject) => {
      const at = { host: '127.0.0.1', port: this.port, agent: false, path: target, method, headers };
      const req = request(at, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve(replyOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString('utf8'))),
        );
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  /** An action with its parameters, by POST and version 4 in the header. */
  ask(Action: string, parameters: Readonly<Record<string, string>> = {}, key = this.key): Promise<Ec2Reply> {
    const body = formOf({ Action, Version: '2016-11-15', ...parameters });
    return this.send({ headers: this.signed(body, {}, key), body });
  }

  async close(): Promise<void> {
    await this.#server.close();
    searchText('the records', JSON.stringify(this.sim.store.range('')));
    await this.sim.close();
  }
}
