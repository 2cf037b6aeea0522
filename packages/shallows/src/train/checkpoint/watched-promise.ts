/** The two ends of a promise. */
export interface Settling<T> {
  readonly promise: WatchedPromise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: Error) => void;
}

/** A promise that knows whether anybody waits for it: a failure that nobody was told of can then be told elsewhere. */
export class WatchedPromise<T> extends Promise<T> {
  /** What `then` makes is plain. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  #watched = false;

  get watched(): boolean {
    return this.#watched;
  }

  // `await` comes here too, as it does for every class of promises but the plain one.
  // biome-ignore lint/suspicious/noThenProperty: that is what is watched
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#watched = true;
    return super.then(onFulfilled, onRejected);
  }

  /** A promise and what settles it. A rejection that nobody waits for does not end the process. */
  static settling<T>(): Settling<T> {
    let ends!: Pick<Settling<T>, 'resolve' | 'reject'>;
    const promise = new WatchedPromise<T>((resolve, reject) => {
      ends = { resolve, reject };
    });
    promise.#quiet();
    return { promise, ...ends };
  }

  #quiet(): void {
    super.then(undefined, () => undefined);
  }
}
