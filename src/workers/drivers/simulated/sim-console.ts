import { Duplex } from 'node:stream';
import { CloudError } from '../../../base/errors.ts';

/** A simulated guest's serial line: it echoes what is typed, with a carriage return and line feed for Enter. */
class SimConsole extends Duplex {
  override _read(): void {
    // What is echoed is pushed when it is typed.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.push(Buffer.from(chunk.toString('latin1').replaceAll('\r', '\r\n'), 'latin1'));
    done();
  }
}

/** The consoles of a host; each has one session at most. */
export class SimConsoles {
  readonly #open = new Map<string, SimConsole>();

  open(uuid: string, force: boolean): Duplex {
    const holder = this.#open.get(uuid);
    if (holder !== undefined && !force) {
      throw new CloudError('Conflict', 'another session has this console; --force takes it over');
    }
    holder?.destroy(
      new CloudError('Conflict', 'the console was taken over by another session', { details: { ended: 'taken-over' } }),
    );
    const console = new SimConsole();
    this.#open.set(uuid, console);
    console.once('close', () => {
      if (this.#open.get(uuid) === console) this.#open.delete(uuid);
    });
    return console;
  }

  /** What the guest prints by itself. */
  print(uuid: string, text: string): void {
    this.#open.get(uuid)?.push(text);
  }

  /** The domain is off. */
  end(uuid: string): void {
    const console = this.#open.get(uuid);
    this.#open.delete(uuid);
    console?.push(null);
    console?.end();
  }

  /** Nothing of the host can be reached any more. */
  lose(problem: string): void {
    for (const console of this.#open.values()) console.destroy(new CloudError('Unavailable', problem));
    this.#open.clear();
  }
}
