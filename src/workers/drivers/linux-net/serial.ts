interface Batch {
  readonly items: unknown[];
  readonly results: Promise<readonly unknown[]>;
}

/** Runs tasks of one key one after another, in the order they came; keys do not wait for each other. */
export class Serial {
  readonly #tails = new Map<string, Promise<unknown>>();
  /** Key -> group -> what waits for its turn and takes more of its group along. */
  readonly #waiting = new Map<string, Map<string, Batch>>();

  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    // What comes after this task must not be done before it.
    this.#waiting.delete(key);
    return this.#enqueue(key, task);
  }

  /**
   * Joins the others of the group that wait for their turn: one task does what all of them asked for, since none of it had begun when the last of them
   * asked. `work` gets all items, in order, and answers for each; when it fails it fails for all.
   */
  async join<I, R>(
    key: string,
    group: string,
    item: I,
    work: (items: readonly I[]) => Promise<readonly R[]>,
  ): Promise<R> {
    const groups = this.#waiting.get(key) ?? new Map<string, Batch>();
    this.#waiting.set(key, groups);
    const waiting = groups.get(group) ?? this.#batch<I, R>(key, group, groups, work);
    const index = waiting.items.push(item) - 1;
    return (await waiting.results)[index] as R;
  }

  #batch<I, R>(
    key: string,
    group: string,
    groups: Map<string, Batch>,
    work: (items: readonly I[]) => Promise<readonly R[]>,
  ): Batch {
    const items: I[] = [];
    const results = this.#enqueue(key, () => {
      groups.delete(group);
      if (groups.size === 0 && this.#waiting.get(key) === groups) this.#waiting.delete(key);
      return work(items);
    });
    const batch = { items, results };
    groups.set(group, batch);
    return batch;
  }

  #enqueue<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(task, task);
    this.#tails.set(key, result);
    const forget = (): void => {
      if (this.#tails.get(key) === result) this.#tails.delete(key);
    };
    result.then(forget, forget);
    return result;
  }
}
