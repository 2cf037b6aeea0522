import type { TracedCall } from '@shallows/torch';

/** Operators that draw random numbers, whatever their arguments. */
const drawing = new Set(
  [
    'bernoulli bernoulli_ binomial cauchy cauchy_ exponential exponential_ geometric geometric_ log_normal log_normal_',
    'multinomial normal normal_ poisson rand rand_like randint randint_like randn randn_like randperm random random_',
    'uniform uniform_ _fused_dropout',
  ]
    .join(' ')
    .split(' '),
);

/** Operators that draw where they are told to: the position of the rate, and of the flag, if there is one, that they train. */
const conditional: Readonly<Record<string, readonly [rate: number, train: number | null]>> = {
  dropout: [1, 2],
  dropout_: [1, 2],
  feature_dropout: [1, 2],
  feature_dropout_: [1, 2],
  alpha_dropout: [1, 2],
  alpha_dropout_: [1, 2],
  feature_alpha_dropout: [1, 2],
  feature_alpha_dropout_: [1, 2],
  native_dropout: [1, 2],
  scaled_dot_product_attention: [4, null],
};

/** Recurrent operators: by overload, the position of the rate; the flag that they train follows it. */
const recurrent: Readonly<Record<string, number>> = { input: 5, data: 6 };

/** Whether a traced call drew random numbers from a generator that nobody named: then no key says what it drew. */
export function drawsUnkeyed(call: TracedCall): boolean {
  const name = call.op.slice(call.op.indexOf('::') + 2);
  if (drawing.has(name)) return !isGenerator(call);
  const place = conditional[name];
  if (place !== undefined) return isPositive(call, place[0]) && (place[1] === null || isTrue(call, place[1]));
  if (name === 'rrelu' || name === 'rrelu_') return isTrue(call, 3) && !isGenerator(call);
  if (name === 'rrelu_with_noise' || name === 'rrelu_with_noise_') return isTrue(call, 4) && !isGenerator(call);
  if (['lstm', 'gru', 'rnn_tanh', 'rnn_relu'].includes(name)) {
    const rate = recurrent[call.overload] ?? 5;
    return isPositive(call, rate) && isTrue(call, rate + 1);
  }
  return false;
}

/** The rate of a call that {@link drawsUnkeyed}, where it says one. */
export function rateOf(call: TracedCall): number | null {
  const name = call.op.slice(call.op.indexOf('::') + 2);
  const place = conditional[name]?.[0] ?? recurrentRate(call, name);
  const rate = place === null ? undefined : valueAt(call, place, rateWords);
  return typeof rate === 'number' ? rate : null;
}

function recurrentRate({ overload }: TracedCall, name: string): number | null {
  return ['lstm', 'gru', 'rnn_tanh', 'rnn_relu'].includes(name) ? (recurrent[overload] ?? 5) : null;
}

/** A generator among the arguments stands in a trace as a value of its own. */
function isGenerator({ inputs, keywords }: TracedCall): boolean {
  return [...inputs, ...Object.values(keywords)].some((each) => each.kind === 'value' && each.value === '(generator)');
}

function valueAt({ inputs, keywords }: TracedCall, at: number, names: readonly string[]): unknown {
  const given = inputs[at] ?? names.map((name) => keywords[name]).find((each) => each !== undefined);
  return given?.kind === 'value' ? given.value : undefined;
}

/** What a rate is called among the keywords of an operator. */
const rateWords = ['p', 'dropoutP', 'dropout_p', 'dropout'];

function isPositive(call: TracedCall, at: number): boolean {
  return Number(valueAt(call, at, rateWords) ?? 0) > 0;
}

function isTrue(call: TracedCall, at: number): boolean {
  return valueAt(call, at, ['train', 'training']) === true;
}
