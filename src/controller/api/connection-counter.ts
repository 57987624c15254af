import type { Duplex } from 'node:stream';

/** How many connections each source has, so that no one of them takes the places of all. */
export class ConnectionCounter {
  readonly #limit: number;
  readonly #connections = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts the connection until it closes; one above the limit is ended at once. */
  admit(socket: Duplex, source: string): void {
    const count = (this.#connections.get(source) ?? 0) + 1;
    this.#connections.set(source, count);
    socket.on('close', () => {
      const left = (this.#connections.get(source) ?? 1) - 1;
      if (left > 0) this.#connections.set(source, left);
      else this.#connections.delete(source);
    });
    if (count > this.#limit) socket.destroy();
  }
}
