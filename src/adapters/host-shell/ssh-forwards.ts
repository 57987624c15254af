import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { RemoteForward } from '../../ports/host-shell.ts';
import { ChannelSocket } from './channel-socket.ts';
import { ChannelRefused, type SshConnection } from './ssh-connection.ts';
import type { SshLink } from './ssh-link.ts';
import type { SshLimits } from './ssh-target.ts';

type OnConnection = (socket: Duplex, sourceAddress: string) => void;

interface Forward {
  readonly port: number;
  readonly onConnection: OnConnection;
  /** The connection that listens for it now. */
  on: SshConnection | undefined;
}

export interface ForwardsParts {
  readonly link: SshLink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: SshLimits;
  readonly name: string;
}

/** Ports on the host whose connections come here. While there is one, the link is dialled again when it is lost, and the ports asked for anew. */
export class ReverseForwards {
  readonly #parts: ForwardsParts;
  readonly #forwards = new Map<number, Forward>();
  #open = 0;
  #retry: Timer | undefined;
  #attempts = 0;
  #closed = false;

  constructor(parts: ForwardsParts) {
    this.#parts = parts;
    parts.link.onUp((connection) => {
      connection.onForwarded((details, accept, reject) => {
        const forward = this.#forwards.get(details.destPort);
        if (forward === undefined || this.#open >= parts.limits.forwarded) reject();
        else
          this.#accept(
            connection,
            forward,
            accept() as unknown as ConstructorParameters<typeof ChannelSocket>[0],
            details.srcIP,
          );
      });
    });
    parts.link.onDown(() => this.#again());
  }

  /** Rejects when the first attempt fails; afterwards it is kept. */
  async add(port: number, onConnection: OnConnection): Promise<RemoteForward> {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new CloudError('InvalidParameterValue', `port ${port}: 1 to 65535 is allowed`);
    }
    if (this.#forwards.has(port))
      throw new CloudError('AlreadyExists', `port ${port} of this host is forwarded already`);
    const forward: Forward = { port, onConnection, on: undefined };
    this.#forwards.set(port, forward);
    try {
      await this.#listen(await this.#parts.link.get(), forward);
    } catch (error) {
      this.#forwards.delete(port);
      throw error;
    }
    return {
      isUp: () => forward.on !== undefined && forward.on.problem === undefined,
      close: () => this.#remove(forward),
    };
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#forwards.clear();
  }

  async #remove(forward: Forward): Promise<void> {
    if (this.#forwards.get(forward.port) !== forward) return;
    this.#forwards.delete(forward.port);
    const { on } = forward;
    forward.on = undefined;
    // The end of the connection ends it too, so there is nothing to report.
    if (on?.problem === undefined) await on?.unlisten(forward.port).catch(() => undefined);
  }

  async #listen(connection: SshConnection, forward: Forward): Promise<void> {
    try {
      await connection.listen(forward.port);
    } catch (error) {
      const refused = error instanceof ChannelRefused || (error instanceof CloudError && error.code === 'HostError');
      if (!refused) throw error;
      throw new CloudError(
        'HostError',
        `${connection.place} does not let us listen on its port ${forward.port}: is another program there (\`ss -ltnp\`), or does its sshd_config say \`AllowTcpForwarding no\` (yes or remote is needed)?`,
        { details: { port: forward.port }, cause: error },
      );
    }
    if (this.#forwards.get(forward.port) === forward) forward.on = connection;
    else await connection.unlisten(forward.port).catch(() => undefined);
  }

  #accept(
    connection: SshConnection,
    forward: Forward,
    channel: ConstructorParameters<typeof ChannelSocket>[0],
    source: string,
  ): void {
    const socket = new ChannelSocket(channel);
    this.#open += 1;
    const off = connection.onLost(() => socket.destroy());
    // Whoever takes it may listen too; a connection that breaks must not end the process.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      off();
      this.#open -= 1;
    });
    forward.onConnection(socket, source);
  }

  /** Asks for all ports that nobody listens for; until that holds it tries again, later each time. */
  #again(): void {
    if (this.#closed || this.#forwards.size === 0 || this.#retry !== undefined) return;
    const { clock, limits, link } = this.#parts;
    const pause = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    this.#retry = clock.after(Math.max(link.waitMs, pause), () => {
      this.#retry = undefined;
      void this.#restore();
    });
  }

  async #restore(): Promise<void> {
    const { link, logger, name } = this.#parts;
    try {
      const connection = await link.get();
      for (const forward of this.#forwards.values()) {
        if (forward.on !== connection) await this.#listen(connection, forward);
      }
      this.#attempts = 0;
    } catch (error) {
      logger.warn('ssh: ports of the host are not forwarded', { host: name, reason: errorText(error) });
      this.#again();
    }
  }
}
