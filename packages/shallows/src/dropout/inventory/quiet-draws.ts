import { type Answerer, answer, type Device, Generator, isTensor, type Keywords, Operator } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { drawsUnkeyed } from './random-calls.js';
import { type OperatorCall, untraced } from './untraced.js';

/**
 * Runs something in which no operator draws from libtorch's default generators: what would is told to `found`, and runs
 * without its randomness (a dropout) or on a generator of its own (a draw). The default generators are as before.
 */
export function withQuietDraws<T>(found: (call: OperatorCall) => void, run: () => T): T {
  const generators = new Map<Device, Generator>();
  const reply: Answerer = (operator, args, keywords) => {
    const call = untraced(operator, args, keywords);
    if (!drawsUnkeyed(call)) return undefined;
    answer(before);
    try {
      const result = callQuietly(operator, args, keywords, (device) => {
        const generator = generators.get(device) ?? new Generator(device, 0);
        generators.set(device, generator);
        return generator;
      });
      // An overload that does not fit: libtorch says so itself.
      if (typeof result === 'symbol') return undefined;
      found(call);
      return result;
    } finally {
      answer(reply);
    }
  };
  const before = answer(reply);
  try {
    return run();
  } finally {
    answer(before);
  }
}

/** Where operators say at what rate they drop, or that they train: set to this they draw nothing. */
const calm: Readonly<Record<string, boolean | number>> = { train: false, training: false, dropout_p: 0, dropout: 0 };

function callQuietly(
  operator: Operator,
  args: readonly unknown[],
  keywords: Keywords | undefined,
  generatorOf: (device: Device) => Generator,
): unknown {
  const given = { ...keywords };
  const { parameters } = operator.schema;
  const calmed = parameters.flatMap(({ name }, i) => (Object.hasOwn(calm, name) ? [{ name, i }] : []));
  if (calmed.length > 0) {
    const own = [...args];
    for (const { name, i } of calmed) {
      const value = calm[name];
      const key = [name, name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())].find(
        (each) => each in given,
      );
      if (i < own.length) own[i] = value;
      else if (key !== undefined) given[key] = value;
    }
    return operator.tryCall(own, given);
  }
  const [first] = args.flat().filter(isTensor);
  const generator = generatorOf(first?.device ?? deviceIn(given) ?? 'cpu');
  if (parameters.some(({ name }) => name === 'generator')) return operator.tryCall(args, { ...given, generator });
  for (const overload of withGenerator(operator.overload)) {
    const other = new Operator(operator.name, overload);
    if (other.exists) return other.tryCall(args, { ...given, generator });
  }
  throw new ShallowsError(
    `inventory: expected an operator that takes a generator, got ${String(operator)} - it would move libtorch's own`,
  );
}

function deviceIn({ device }: Keywords): Device | undefined {
  return typeof device === 'string' ? (device as Device) : undefined;
}

/** The overload that takes what this one does and a generator: `low` has `low_generator`, `low_dtype` `low_generator_dtype`. */
function withGenerator(overload: string): readonly string[] {
  if (overload === '') return ['generator'];
  const [first = '', ...rest] = overload.split('_');
  return [
    `${overload}_generator`,
    `generator_${overload}`,
    `generator_with_${overload}`,
    [first, 'generator', ...rest].join('_'),
  ];
}
