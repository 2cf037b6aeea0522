import { isTensor, type Keywords, type Operator, type TracedCall, type TracedValue } from '@shallows/torch';

/** A call of an operator, as a trace has it, but for the tensors that it takes and gives. */
export type OperatorCall = TracedCall;

/** A call that has not run, for those who look at operators and plain arguments alone. */
export function untraced(operator: Operator, args: readonly unknown[], keywords: Keywords = {}): OperatorCall {
  return {
    op: operator.name,
    overload: operator.overload,
    inputs: args.map(plain),
    keywords: Object.fromEntries(
      Object.entries(keywords)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, plain(value)]),
    ),
    outputs: [],
  };
}

function plain(value: unknown): TracedValue {
  if (isTensor(value)) return { kind: 'tensor', tensor: { id: -1, shape: [], dtype: value.dtype } };
  if (Array.isArray(value)) return { kind: 'list', items: [] };
  switch (typeof value) {
    case 'number':
    case 'bigint':
    case 'string':
    case 'boolean':
      return { kind: 'value', value };
    case 'object':
      return { kind: 'value', value: value === null ? null : '(generator)' };
    default:
      return { kind: 'value', value: null };
  }
}
