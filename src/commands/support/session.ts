import { CloudError } from '../../base/errors.ts';
import type { CallOptions, CloudClient } from '../../client/cloud-client.ts';
import type { ConsoleChannel } from '../../messages/console.ts';
import type {
  DuplexName,
  OperationInput,
  OperationOutput,
  StreamName,
  UnaryName,
} from '../../messages/operations/index.ts';
import { filterRows } from '../../views/filter.ts';
import {
  renderListing,
  renderOne,
  type Details,
  type Format,
  type Listing,
  type RenderOptions,
} from '../../views/listing.ts';
import type { Output } from '../../views/output.ts';
import { cutMark, wantsColor } from '../../views/paint.ts';
import { cloudElsewhere, connect, connectDaemon, type ConnectOptions } from './connect.ts';
import type { CloudContext } from './contexts.ts';
import { cloudDirs, type CloudDirs } from './dirs.ts';
import { settings, type GlobalFlags } from './global-flags.ts';
import type { Io } from './io.ts';
import { inCommandWords, type ParameterNames } from './parameter-text.ts';

export interface SessionOptions {
  readonly io: Io;
  readonly output: Output;
  readonly flags: GlobalFlags;
  readonly parameters: ParameterNames;
  readonly version: string;
  /** The words of the command without its flags. */
  readonly command: string;
  /** To work in; undefined: the caller's own. */
  readonly project?: string | undefined;
}

/** One run of a command: its cloud, its output and its token. */
export class Session {
  readonly io: Io;
  readonly output: Output;
  readonly flags: GlobalFlags;
  readonly #parameters: ParameterNames;
  /** To work in; undefined: the caller's own. */
  readonly project: string | undefined;
  readonly #version: string;
  readonly #command: string;
  #client: Promise<CloudClient> | undefined;
  #token: string | undefined;
  #changes = 0;

  constructor(options: SessionOptions) {
    this.#version = options.version;
    this.#command = options.command;
    this.project = options.project;
    this.io = options.io;
    this.output = options.output;
    this.flags = options.flags;
    this.#parameters = options.parameters;
  }

  get format(): Format {
    return this.flags.json ? 'json' : this.flags.output;
  }

  /** Whether what is missing is asked for: somebody sits there, and the answer is not for a program. */
  get canAsk(): boolean {
    return this.io.interactive && (this.format === 'table' || this.format === 'wide');
  }

  nowMs(): number {
    return this.io.clock.nowMs();
  }

  dirs(): Promise<CloudDirs> {
    const { env, uid } = this.io;
    const { config, context, set } = this.flags;
    return cloudDirs({ env, uid, flags: settings(set), configPath: config, context });
  }

  /** The cloud that this command works with. */
  client(): Promise<CloudClient> {
    this.#client ??= this.#connecting().then(connect);
    return this.#client;
  }

  /** The cloud elsewhere that this command works with; undefined: it is on this machine. */
  elsewhere(): Promise<CloudContext | undefined> {
    return cloudElsewhere(this);
  }

  /** For what is done on this machine alone: UnsupportedOperation when a cloud elsewhere is chosen. */
  async mustBeLocal(what: string): Promise<void> {
    const cloud = await this.elsewhere();
    if (cloud === undefined) return;
    throw new CloudError(
      'UnsupportedOperation',
      `${what} acts on this machine, and the context ${cloud.name} is ${cloud.url}; log in there, or say --context local`,
    );
  }

  /** The daemon of this machine, and nobody in its place. */
  async daemon(): Promise<CloudClient> {
    await this.mustBeLocal(this.#command);
    return connectDaemon(await this.#connecting());
  }

  /** Ends what the command set going in this process; throws what went wrong with it. */
  async close(): Promise<void> {
    await (await this.#client?.catch(() => undefined))?.close();
  }

  async #connecting(): Promise<ConnectOptions> {
    const { io, output, flags, project } = this;
    return { io, output, flags, dirs: await this.dirs(), version: this.#version, command: this.#command, project };
  }

  /** Asks; an error speaks in the words of this command. */
  async read<N extends UnaryName>(
    name: N,
    input: OperationInput<N>,
    options: CallOptions = {},
  ): Promise<OperationOutput<N>> {
    const client = await this.client();
    try {
      return await client.call(name, input, { signal: this.io.signal, ...options });
    } catch (error) {
      throw error instanceof CloudError ? inCommandWords(error, this.#parameters, input) : error;
    }
  }

  /** The same for a stream. */
  async *watch<N extends StreamName>(
    name: N,
    input: OperationInput<N>,
    signal = this.io.signal,
  ): AsyncGenerator<OperationOutput<N>> {
    const client = await this.client();
    try {
      yield* client.stream(name, input, { signal });
    } catch (error) {
      throw error instanceof CloudError ? inCommandWords(error, this.#parameters, input) : error;
    }
  }

  /** Opens a connection of bytes. */
  async duplex<N extends DuplexName>(name: N, input: OperationInput<N>): Promise<ConsoleChannel> {
    const client = await this.client();
    try {
      return await client.duplex(name, input, { signal: this.io.signal });
    } catch (error) {
      throw error instanceof CloudError ? inCommandWords(error, this.#parameters, input) : error;
    }
  }

  /** Asks for a change, with the invocation's token, reason and dry run. */
  async change<N extends UnaryName>(name: N, input: OperationInput<N>): Promise<OperationOutput<N>> {
    const { reason } = this.flags;
    return this.read(name, input, { clientToken: await this.#nextToken(), reason, dryRun: this.flags['dry-run'] });
  }

  /** The token of this invocation in place of a drawn one. */
  useToken(token: string | undefined): void {
    this.#token = token;
  }

  /** Several changes of one invocation have tokens of their own, all made from one. */
  async #nextToken(): Promise<string> {
    this.#token ??= `cli-${await this.io.unique()}`;
    this.#changes += 1;
    return this.#changes === 1 ? this.#token : `${this.#token}.${this.#changes}`;
  }

  async show<T>(listing: Listing<T>): Promise<void> {
    const { filter = [] } = this.flags;
    const rows = filterRows(listing.rows, listing.columns, filter, this.nowMs());
    this.output.data(renderListing({ ...listing, rows }, await this.rendering()));
    if (rows.length > 0 || this.format === 'json' || this.format === 'yaml') return;
    if (listing.rows.length > 0) this.output.message('no row passes the filter');
    else if (listing.empty !== '') this.output.hint(listing.empty);
  }

  async showOne<T>(details: Details<T>): Promise<void> {
    this.output.data(renderOne(details, await this.rendering()));
  }

  /** Any value as json or yaml where that is asked for; `text` for people. */
  async showValue(value: Record<string, unknown>, text: string): Promise<void> {
    const none: Details<typeof value> = {
      columns: Object.keys(value).map((name) => ({ name, text: (row) => String(row[name] ?? '') })),
      rows: [value],
      id: () => String(Object.values(value)[0] ?? ''),
      data: ([only]) => only,
      empty: '',
      fields: [],
      below: text,
    };
    const people = (this.format === 'table' || this.format === 'wide') && this.flags.columns === undefined;
    if (people) this.output.data(text);
    else await this.showOne(none);
  }

  /** Asks the person at the terminal; without one, or with --yes, the answer is yes. */
  async confirm(question: string): Promise<void> {
    if (this.flags.yes || !this.io.interactive) return;
    const { askYesNo } = await import('./ask.ts');
    if (!(await askYesNo(this.io, question))) {
      throw new CloudError('OperationNotPermitted', 'not confirmed, nothing was done');
    }
  }

  /** How this run prints. */
  async rendering(): Promise<RenderOptions> {
    const { stdout, env } = this.io;
    const { columns } = this.flags;
    return {
      format: this.format,
      columns,
      nowMs: this.nowMs(),
      width: stdout.isTty ? (stdout.columns ?? 80) : undefined,
      color: wantsColor({ isTty: stdout.isTty, env, noColor: this.flags['no-color'] }),
      cutMark: cutMark(env),
      yaml: this.format === 'yaml' ? (await import('./yaml.ts')).stringify : JSON.stringify,
    };
  }
}
