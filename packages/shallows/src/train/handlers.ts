import { ShallowsError } from '../errors.js';
import type { Algorithm, Training } from './algorithm.js';

/** The names of an algorithm's events. */
export type AlgorithmEvent = Extract<keyof Algorithm, `on${string}`>;

type Handler = (training: Training, subject: unknown) => unknown;

interface Asked {
  readonly algorithm: Algorithm;
  readonly handler: Handler;
}

/** How far an event has come: for a snapshot taken by one of its handlers, and the run that goes on from it. */
export interface Cursor {
  readonly event: AlgorithmEvent;
  /** Names of the algorithms that were asked, with the one that is running. */
  readonly asked: readonly string[];
}

/**
 * Asks algorithms about events: at each start in the order in which they were given, at each end in reverse. What one of
 * them throws is thrown on with its name and the event's.
 */
export class Handlers {
  readonly #algorithms: readonly Algorithm[];
  readonly #training: Training;
  readonly #asked = new Map<AlgorithmEvent, readonly Asked[]>();
  #running: { readonly event: AlgorithmEvent; readonly algorithm: Algorithm } | null = null;
  #resumed: Cursor | null = null;

  /** @throws ShallowsError where two algorithms share a name */
  constructor(algorithms: readonly Algorithm[], training: Training) {
    const names = new Set<string>();
    for (const { name } of algorithms) {
      if (names.has(name)) {
        throw new ShallowsError(
          `Trainer: expected algorithms with names of their own, got '${name}' twice - leave one out, or rename it`,
        );
      }
      names.add(name);
    }
    this.#algorithms = algorithms;
    this.#training = training;
  }

  /** The event whose handlers are running; null between events. */
  get cursor(): Cursor | null {
    if (this.#running === null) return null;
    const { event, algorithm } = this.#running;
    const names = this.#asking(event).map((each) => each.algorithm.name);
    return { event, asked: names.slice(0, names.indexOf(algorithm.name) + 1) };
  }

  /** The next time that an event comes, the algorithms that were asked already are not asked again. */
  resume(cursor: Cursor | null): void {
    this.#resumed = cursor;
  }

  /** Asks about an event inside of a step, at once. */
  run(event: AlgorithmEvent, subject?: unknown): void {
    const asked = this.#due(event);
    if (asked.length === 0) return;
    const outer = this.#running;
    for (const { algorithm, handler } of asked) {
      this.#running = { event, algorithm };
      try {
        if (isPromise(handler.call(algorithm, this.#training, subject))) {
          throw new ShallowsError(
            'expected a synchronous handler, got one that returns a promise - do not wait inside of a step',
          );
        }
      } catch (error) {
        throw named(algorithm, event, error);
      } finally {
        this.#running = outer;
      }
    }
  }

  /** Asks about an event between steps, each once the one before it has ended; nothing to wait for where none waits. */
  wait(event: AlgorithmEvent, subject?: unknown): void | Promise<void> {
    const asked = this.#due(event);
    return asked.length === 0 ? undefined : this.#waitFrom(asked, event, subject, 0);
  }

  #waitFrom(asked: readonly Asked[], event: AlgorithmEvent, subject: unknown, from: number): void | Promise<void> {
    const outer = this.#running;
    for (let index = from; index < asked.length; index++) {
      const { algorithm, handler } = asked[index] as Asked;
      this.#running = { event, algorithm };
      let result: unknown;
      try {
        result = handler.call(algorithm, this.#training, subject);
      } catch (error) {
        this.#running = outer;
        throw named(algorithm, event, error);
      }
      if (isPromise(result)) {
        return Promise.resolve(result).then(
          () => {
            this.#running = outer;
            return this.#waitFrom(asked, event, subject, index + 1);
          },
          (error: unknown) => {
            this.#running = outer;
            throw named(algorithm, event, error);
          },
        );
      }
      this.#running = outer;
    }
  }

  #due(event: AlgorithmEvent): readonly Asked[] {
    const asked = this.#asking(event);
    if (this.#resumed?.event !== event) return asked;
    const done = new Set(this.#resumed.asked);
    this.#resumed = null;
    return asked.filter(({ algorithm }) => !done.has(algorithm.name));
  }

  /** The handlers of an event, looked up when it first comes. */
  #asking(event: AlgorithmEvent): readonly Asked[] {
    const known = this.#asked.get(event);
    if (known !== undefined) return known;
    const found = this.#algorithms.flatMap((algorithm) => {
      const handler = algorithm[event] as Handler | undefined;
      return handler === undefined ? [] : [{ algorithm, handler }];
    });
    if (event.endsWith('End')) found.reverse();
    this.#asked.set(event, found);
    return found;
  }
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** What an algorithm threw. */
export class AlgorithmError extends ShallowsError {
  /** Name of the algorithm. */
  readonly algorithm: string;

  constructor(algorithm: string, event: string, cause: unknown) {
    super(`${algorithm} (${event}): ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.algorithm = algorithm;
  }
}

/** What an algorithm threw, with its name and the event's. */
export function named({ name }: Algorithm, event: string, cause: unknown): AlgorithmError {
  return new AlgorithmError(name, event, cause);
}
