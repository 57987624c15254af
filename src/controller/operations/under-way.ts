/** What this controller is carrying out, by the question's id. A question that comes again meanwhile gets the same answer. */
export class UnderWay<T> {
  readonly #running = new Map<string, Promise<T>>();

  has(askId: string): boolean {
    return this.#running.has(askId);
  }

  run(askId: string | undefined, work: () => Promise<T>): Promise<T> {
    if (askId === undefined) return work();
    const known = this.#running.get(askId);
    if (known !== undefined) return known;
    const running = work().finally(() => this.#running.delete(askId));
    this.#running.set(askId, running);
    return running;
  }
}
