import { type FilePort, type PortFile, systemFiles } from '../../../../../src/adapters/store/file-port.ts';

/** The real file system, which says when it is at work: a clock that is told to go on waits for it, so that a slow disk takes no time. */
export class CountedFiles {
  #pending = 0;
  readonly files: FilePort = this.#counted(systemFiles);

  /** Resolves when nothing has been asked of the disk for some turns. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < 5; turns = this.#pending > 0 ? 0 : turns + 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #counted<T extends FilePort | PortFile>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const method: unknown = Reflect.get(target, name, target);
        // `await` asks whether it is a promise.
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]) => {
          this.#pending += 1;
          try {
            const result = await (method as (...args: unknown[]) => Promise<unknown>).apply(target, args);
            return name === 'open' ? this.#counted(result as PortFile) : result;
          } finally {
            this.#pending -= 1;
          }
        };
      },
    });
  }
}
