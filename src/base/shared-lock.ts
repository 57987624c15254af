interface Turn {
  readonly shared: boolean;
  enter(): void;
}

interface Line {
  readonly waiting: Turn[];
  /** How many are in; -1: one that is alone. */
  inside: number;
}

/**
 * Work of one key: what shares runs side by side, what does not is alone. In the order it was asked for, so that neither kind waits for ever.
 * Other keys are not held up.
 */
export class SharedLock {
  readonly #lines = new Map<string, Line>();

  /** Side by side with other shared work of the key. */
  share<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#run(key, true, work);
  }

  /** With no other work of the key. */
  alone<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#run(key, false, work);
  }

  async #run<T>(key: string, shared: boolean, work: () => Promise<T>): Promise<T> {
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { waiting: [], inside: 0 };
      this.#lines.set(key, line);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    line.waiting.push({ shared, enter: resolve });
    admit(line);
    await promise;
    try {
      return await work();
    } finally {
      line.inside = shared ? line.inside - 1 : 0;
      admit(line);
      if (line.inside === 0) this.#lines.delete(key);
    }
  }
}

function admit(line: Line): void {
  for (let next = line.waiting[0]; next !== undefined; next = line.waiting[0]) {
    const free = next.shared ? line.inside >= 0 : line.inside === 0;
    if (!free) return;
    line.inside = next.shared ? line.inside + 1 : -1;
    line.waiting.shift();
    next.enter();
  }
}
