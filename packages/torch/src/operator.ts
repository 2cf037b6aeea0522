import { TorchError, toTorchError } from './errors.js';
import { decode, encode, mark, poke, push, reset } from './frame.js';
import { answerer, listener } from './listener.js';
import { native, type OperatorSchema } from './native.js';
import { suggest } from './suggest.js';
import { forwardWarnings } from './warnings.js';

const MISMATCHED = -1;
const OVERFLOWED = -2;
const WARNED = 1 << 30;

/** Keyword arguments by name, in camelCase or as in the schema. */
export type Keywords = Readonly<Record<string, unknown>>;

/** One overload of an operator of libtorch's dispatcher; looked up when it is first called. */
export class Operator {
  #id = -1;
  #positional = -1;
  #schema: OperatorSchema | undefined;
  #indices: Map<string, number> | undefined;

  constructor(
    readonly name: string,
    readonly overload: string = '',
  ) {}

  /** Calls the operator: positional arguments, then keyword arguments. Throws {@link TorchError}. */
  call(args: readonly unknown[], keywords?: Keywords): unknown {
    return this.#run(args, keywords, false);
  }

  /** As {@link call}, but returns `noMatch` where the arguments do not fit this overload. */
  tryCall(args: readonly unknown[], keywords?: Keywords): unknown {
    if (args.length > this.#mostPositional()) return noMatch;
    return this.#run(args, keywords, true);
  }

  /** Whether this libtorch has the operator. */
  get exists(): boolean {
    return this.#id >= 0 || native().findOperator(this.name, this.overload) >= 0;
  }

  get schema(): OperatorSchema {
    return (this.#schema ??= native().schema(this.#resolve()));
  }

  #mostPositional(): number {
    if (this.#positional < 0) this.#positional = this.schema.parameters.filter((each) => !each.keywordOnly).length;
    return this.#positional;
  }

  #resolve(): number {
    if (this.#id < 0) {
      this.#id = native().findOperator(this.name, this.overload);
      if (this.#id < 0) throw unknownOperator(this.name, this.overload);
    }
    return this.#id;
  }

  #run(args: readonly unknown[], keywords: Keywords | undefined, trial: boolean): unknown {
    if (answerer !== null) {
      const answer = answerer(this, args, keywords);
      if (answer !== undefined) return answer;
    }
    const id = this.#id < 0 ? this.#resolve() : this.#id;
    const base = mark();
    try {
      push(id);
      push(0);
      push(args.length);
      for (const each of args) encode(each);
      if (keywords === undefined) push(0);
      else if (!this.#encodeKeywords(keywords, trial)) return noMatch;
      poke(base + 1, mark());
      let code = native().call(base, trial);
      if (code === MISMATCHED) return noMatch;
      if (code >= WARNED) {
        code -= WARNED;
        forwardWarnings();
      }
      const result = decode(base, code === OVERFLOWED ? native().overflow() : null, args, keywords);
      listener?.(this, args, keywords, result);
      return result;
    } catch (error) {
      throw withName(this, toTorchError(error));
    } finally {
      reset(base);
    }
  }

  #encodeKeywords(keywords: Keywords, trial: boolean): boolean {
    const countAt = mark();
    push(0);
    let count = 0;
    for (const name of Object.keys(keywords)) {
      const value = keywords[name];
      if (value === undefined) continue;
      const index = this.#indexOf(name);
      if (index === undefined) {
        if (trial) return false;
        const names = this.schema.parameters.map((each) => each.name);
        throw new TorchError(`expected an option of ${names.join(', ')}, got '${name}'${suggest(name, names)}`);
      }
      push(index);
      encode(value);
      count++;
    }
    poke(countAt, count);
    return true;
  }

  #indexOf(name: string): number | undefined {
    if (this.#indices === undefined) {
      this.#indices = new Map();
      for (const [index, { name: each }] of this.schema.parameters.entries()) {
        this.#indices.set(each, index);
        this.#indices.set(camelCase(each), index);
      }
    }
    return this.#indices.get(name);
  }

  toString(): string {
    return this.overload === '' ? this.name : `${this.name}.${this.overload}`;
  }
}

/** What {@link Operator.tryCall} returns where the arguments do not fit. */
export const noMatch: unique symbol = Symbol('noMatch');

function withName(operator: Operator, error: Error): Error {
  if (!(error instanceof TorchError) || error.message.startsWith(operator.name)) return error;
  return new TorchError(`${operator}: ${error.message}`);
}

function camelCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function unknownOperator(name: string, overload: string): TorchError {
  const all = native().operatorNames();
  const overloads = all.filter(([each]) => each === name).map(([, each]) => (each === '' ? 'default' : each));
  if (overloads.length > 0) {
    return new TorchError(`${name}: expected an overload of ${overloads.join(', ')}, got '${overload}'`);
  }
  const names = [...new Set(all.map(([each]) => each))];
  return new TorchError(`${name}: expected an operator of libtorch, got an unknown name${suggest(name, names)}`);
}
