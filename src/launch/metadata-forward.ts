import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { HostShell, RemoteForward } from '../ports/host-shell.ts';

/** What takes a guest's connection that came from a host. */
export type AcceptMetadata = (socket: Duplex, sourceAddress: string, hostId: string) => void;

/** A host that does not let us listen is asked again: whoever has the port may go. */
const AGAIN_MS = 15_000;

export interface MetadataForwardParts {
  readonly shell: HostShell;
  readonly hostId: string;
  /** On the host's loopback address. */
  readonly port: number;
  readonly accept: AcceptMetadata;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The way from a host's guests to the metadata service: a port of the host whose connections come here by the worker's SSH connection. */
export class MetadataForward {
  readonly #parts: MetadataForwardParts;
  #forward: RemoteForward | undefined;
  #problem: string | undefined;
  #retry: Timer | undefined;
  #closed = false;

  constructor(parts: MetadataForwardParts) {
    this.#parts = parts;
    void this.#ask();
  }

  /** Why the host's guests get no metadata now; undefined when they do. */
  get problem(): string | undefined {
    if (this.#problem !== undefined) return `its guests get no metadata: ${this.#problem}`;
    return this.#forward?.isUp() === false ? 'its guests get no metadata until the port is forwarded again' : undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await this.#forward?.close();
  }

  async #ask(): Promise<void> {
    const { shell, port, accept, hostId, clock, logger } = this.#parts;
    try {
      const forward = await shell.forwardIn?.(port, (socket, source) => accept(socket, source, hostId));
      this.#problem = undefined;
      this.#forward = forward;
      if (this.#closed) await forward?.close();
    } catch (error) {
      if (this.#closed) return;
      this.#problem = errorText(error);
      logger.warn('the metadata port is not forwarded', { host: shell.name, hostId, problem: this.#problem });
      this.#retry = clock.after(AGAIN_MS, () => void this.#ask(), { unref: true });
    }
  }
}
