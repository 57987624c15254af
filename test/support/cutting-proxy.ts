import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { randomBelow, type Random } from '../../src/base/random.ts';

/** What happens to traffic. `hold`: nothing passes and nothing is closed. `swallow`: what the server says is dropped. `refuse`: reset at once. */
type Mode = 'pass' | 'hold' | 'swallow' | 'refuse';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes of answer that may still pass before the connection is cut. */
  budget: number;
}

/**
 * A TCP proxy before one port of this machine, which breaks connections the way networks do. It knows nothing of what is spoken.
 * A cut is a reset of both sides; the bytes of the answer that were over the budget are lost, what the client had sent has arrived.
 */
export class CuttingProxy {
  readonly port: number;
  /** Connections that were taken, that were cut here, and bytes of answers that were dropped. */
  readonly seen = { connections: 0, cuts: 0, swallowedBytes: 0, answerBytes: 0 };
  readonly #listener: Server;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  #mode: Mode = 'pass';
  #nextBudget: () => number = () => Infinity;

  private constructor(listener: Server, target: number) {
    this.#listener = listener;
    this.#target = target;
    this.port = (listener.address() as AddressInfo).port;
    listener.on('connection', (client) => this.#take(client));
  }

  /** Stands before 127.0.0.1:`targetPort`, on a free port. */
  static async start(targetPort: number): Promise<CuttingProxy> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new CuttingProxy(listener, targetPort);
  }

  /** Connections that stand now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Every connection from now on, and each that stands, is cut once so many more bytes of answer have passed. */
  cutAfter(answerBytes: number): void {
    this.#limit(() => answerBytes);
  }

  /** Each connection from now on, and each that stands, is cut after a number of answer bytes of its own: from `least` up to `most`. */
  cutAtRandom(random: Random, bytes: { readonly least: number; readonly most: number }): void {
    this.#limit(() => bytes.least + randomBelow(random, bytes.most - bytes.least + 1));
  }

  /** No more cuts by bytes. */
  cutNever(): void {
    this.#limit(() => Infinity);
  }

  /** Cuts what stands, now. */
  cut(): void {
    for (const pair of [...this.#pairs]) this.#end(pair);
  }

  /** What the server says is read and dropped, what the client says goes on. After `pass` a connection that lost bytes is cut, as it makes no sense. */
  swallowAnswers(): void {
    this.#set('swallow');
  }

  /** Nothing passes either way, no connection ends: a network that lost its cable. New ones seem to be taken. */
  hold(): void {
    this.#set('hold');
  }

  /** Cuts what stands and resets whoever comes. */
  refuse(): void {
    this.#set('refuse');
    this.cut();
  }

  /** Back to ordinary: what was held goes on. */
  pass(): void {
    if (this.#mode === 'swallow' && this.seen.swallowedBytes > 0) this.cut();
    this.#set('pass');
  }

  async close(): Promise<void> {
    if (!this.#listener.listening) return;
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    this.cut();
    await closed;
  }

  #limit(next: () => number): void {
    this.#nextBudget = next;
    for (const pair of this.#pairs) pair.budget = next();
  }

  #set(mode: Mode): void {
    this.#mode = mode;
    for (const { client, server } of this.#pairs) {
      for (const socket of [client, server]) {
        if (mode === 'hold') socket.pause();
        else socket.resume();
      }
    }
  }

  #take(client: Socket): void {
    this.seen.connections += 1;
    if (this.#mode === 'refuse') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    client.setNoDelay(true);
    const pair: Pair = { client, server, budget: this.#nextBudget() };
    this.#pairs.add(pair);
    const over = (): void => this.#end(pair, false);
    for (const socket of [client, server]) socket.on('error', over).on('close', over);
    client.on('data', (bytes: Buffer) => this.#carry(bytes, client, server));
    client.on('end', () => server.end());
    server.on('data', (bytes: Buffer) => this.#answer(pair, bytes));
    server.on('end', () => client.end());
    if (this.#mode === 'hold') this.#set('hold');
  }

  #answer(pair: Pair, bytes: Buffer): void {
    if (this.#mode === 'swallow') {
      this.seen.swallowedBytes += bytes.length;
      return;
    }
    const passes = Math.min(pair.budget, bytes.length);
    pair.budget -= passes;
    this.seen.answerBytes += passes;
    const rest = passes < bytes.length;
    this.#carry(rest ? bytes.subarray(0, passes) : bytes, pair.server, pair.client);
    if (rest) this.#end(pair);
  }

  /** Writes to the other side, and stops reading while that one is slow. */
  #carry(bytes: Buffer, from: Socket, to: Socket): void {
    if (bytes.length === 0 || to.destroyed || to.write(bytes)) return;
    from.pause();
    to.once('drain', () => {
      if (this.#mode !== 'hold') from.resume();
    });
  }

  #end(pair: Pair, cut = true): void {
    if (!this.#pairs.delete(pair)) return;
    if (cut) this.seen.cuts += 1;
    for (const socket of [pair.client, pair.server]) {
      if (cut && !socket.connecting) socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}
