import { empty } from './creation.js';
import type { DType } from './dtype.js';
import { TorchError } from './errors.js';
import { answer, type Listener, listen } from './listener.js';
import { type Keywords, Operator } from './operator.js';
import { keep } from './scope.js';
import { isTensor, Tensor } from './tensor.js';

const version = new Operator('aten::_version');

/** What a recorded call gave. */
type Answer =
  | { readonly kind: 'tensor'; readonly source: Source }
  /** The very tensor it was given, as operators do that write in place. */
  | { readonly kind: 'argument'; readonly path: readonly (number | string)[] }
  | { readonly kind: 'list'; readonly items: readonly Answer[] }
  | { readonly kind: 'value'; readonly value: unknown };

interface Recorded {
  readonly operator: string;
  readonly answer: Answer;
}

/** One tensor that a recorded call made. */
class Source {
  readonly tensor: Tensor;
  readonly #shape: readonly number[];
  readonly #dtype: DType;
  /** The tensor itself, if it was still in use where the recording ended. */
  #held: Tensor | null = null;
  /** How often it had been written to by then. */
  #writes: number | null = null;
  readonly #shells: Shells;

  constructor(tensor: Tensor, shells: Shells) {
    this.tensor = tensor;
    this.#shells = shells;
    this.#shape = tensor.shape;
    this.#dtype = tensor.dtype;
  }

  get isIntact(): boolean {
    return this.#held === null || version.call([this.#held]) === this.#writes;
  }

  hold(): void {
    if (this.tensor.disposed) {
      this.#shells.of(this.#shape, this.#dtype);
      return;
    }
    this.#held = keep(new Tensor(this.tensor));
    this.#writes = Number(version.call([this.#held]));
  }

  /** What is given in its place, for the code that is run again to own. */
  stand(): Tensor {
    return this.#held === null ? this.#shells.of(this.#shape, this.#dtype) : new Tensor(this.#held);
  }

  dispose(): void {
    this.#held?.dispose();
  }
}

/** Tensors without memory that stand for those that are gone: one for each shape and dtype. */
class Shells {
  readonly #made = new Map<string, Tensor>();

  of(shape: readonly number[], dtype: DType): Tensor {
    const name = `${dtype} ${shape.join(' ')}`;
    const known = this.#made.get(name);
    // Whoever got it may have disposed of it.
    if (known !== undefined && !known.disposed) return known;
    const made = keep(empty([...shape], { dtype, device: 'meta' }));
    this.#made.set(name, made);
    return made;
  }

  dispose(): void {
    for (const each of this.#made.values()) each.dispose();
    this.#made.clear();
  }
}

/**
 * The first part of a computation that is run several times: computed once, then answered from memory. For code whose
 * operator calls are the same each time up to a place where something differs, such as a network up to its first dropout.
 *
 * `record` runs it as it is; the code calls `mark` where the common part ends. `run` then runs the same code again, but every
 * operator call up to there returns what it gave before. Of the results only those are held that were still in use at the
 * mark; in the place of the others stand tensors of their shape without memory, which the code may hand on, but not read.
 * What reads the values of one on the way (`toArray`) does not work in such code; `item` does.
 */
export class Replay implements Disposable {
  #calls: Recorded[] = [];
  #sources: Source[] = [];
  readonly #shells = new Shells();
  #ended: (() => void) | null = null;
  #isMarked = false;

  /** Operator calls before the mark. */
  get length(): number {
    return this.#calls.length;
  }

  /** Whether a mark was reached. */
  get isMarked(): boolean {
    return this.#isMarked;
  }

  /** Whether nothing that is held was written to since the mark: if something was, `run` would go on from other values. */
  get isIntact(): boolean {
    return this.#sources.every((source) => source.isIntact);
  }

  /** Runs `fn` and remembers what its operators give, up to {@link mark}. Forgets what was recorded before. */
  record<T>(fn: () => T): T {
    this.dispose();
    const sources = new Map<Tensor, Source>();
    const sourceOf = (tensor: Tensor): Source => {
      const known = sources.get(tensor) ?? new Source(tensor, this.#shells);
      sources.set(tensor, known);
      return known;
    };
    const before = listen((operator, args, keywords, result) => {
      before?.(operator, args, keywords, result);
      this.#calls.push({ operator: String(operator), answer: recorded(result, args, keywords, sourceOf) });
    });
    this.#ended = () => {
      listen(before as Listener | null);
      this.#sources = [...sources.values()];
      for (const source of this.#sources) source.hold();
      this.#isMarked = true;
    };
    try {
      return fn();
    } finally {
      if (this.#ended !== null) listen(before as Listener | null);
      this.#ended = null;
    }
  }

  /** Ends the part that is remembered: called by the code that is recorded. At other times it does nothing. */
  mark(): void {
    const end = this.#ended;
    this.#ended = null;
    end?.();
  }

  /**
   * Runs `fn`, whose first operator calls are those that were recorded, without computing them again.
   *
   * @throws TorchError where it calls other operators than before, or where no mark was reached
   */
  run<T>(fn: () => T): T {
    if (!this.#isMarked) {
      throw new TorchError(
        'Replay.run: expected a recording with a mark, got none - call record(), and mark() within it',
      );
    }
    let next = 0;
    const replies = (operator: Operator, args: readonly unknown[], keywords: Keywords | undefined): unknown => {
      const call = this.#calls[next++];
      if (call === undefined || String(operator) !== call.operator) {
        throw new TorchError(
          `Replay.run: expected the call of ${call?.operator ?? 'nothing'} that was recorded, got ${operator} - ` +
            'run the code that was recorded, or record again',
        );
      }
      answer(null);
      const reply = replyOf(call.answer, args, keywords);
      answer(next < this.#calls.length ? replies : before);
      return reply;
    };
    const before = answer(null);
    if (this.#calls.length > 0) answer(replies);
    try {
      const result = fn();
      if (next < this.#calls.length) {
        throw new TorchError(
          `Replay.run: expected the ${this.#calls.length} calls that were recorded, got ${next} - run the same code`,
        );
      }
      return result;
    } finally {
      answer(before);
    }
  }

  /** Frees what is held. */
  dispose(): void {
    for (const source of this.#sources) source.dispose();
    this.#shells.dispose();
    this.#calls = [];
    this.#sources = [];
    this.#isMarked = false;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function recorded(
  result: unknown,
  args: readonly unknown[],
  keywords: Keywords | undefined,
  sourceOf: (tensor: Tensor) => Source,
): Answer {
  if (Array.isArray(result)) {
    return { kind: 'list', items: result.map((each) => recorded(each, args, keywords, sourceOf)) };
  }
  if (!isTensor(result)) return { kind: 'value', value: result };
  const path = pathTo(result, [args, keywords ?? {}]);
  if (path !== null) return { kind: 'argument', path };
  return { kind: 'tensor', source: sourceOf(result) };
}

function replyOf(given: Answer, args: readonly unknown[], keywords: Keywords | undefined): unknown {
  switch (given.kind) {
    case 'value':
      return given.value;
    case 'list':
      return given.items.map((each) => replyOf(each, args, keywords));
    case 'argument':
      return given.path.reduce<unknown>((place, step) => Reflect.get(Object(place), step), [args, keywords ?? {}]);
    case 'tensor':
      return given.source.stand();
  }
}

/** Where a tensor lies in arguments, or null. */
function pathTo(tensor: Tensor, place: object): readonly (number | string)[] | null {
  for (const [name, value] of Object.entries(place)) {
    if (value === tensor) return [name];
    if (!Array.isArray(value) && (typeof value !== 'object' || value === null || isTensor(value))) continue;
    if (ArrayBuffer.isView(value)) continue;
    const rest = pathTo(tensor, value);
    if (rest !== null) return [name, ...rest];
  }
  return null;
}
