import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { functional as F, flops, ones, ops, type Tensor, tensor, trace, zeros } from './index.js';

// Made by autograd.fixture.py with torch.utils.flop_counter.
const counts: Record<string, number> = JSON.parse(
  readFileSync(new URL('autograd.fixture.json', import.meta.url), 'utf8'),
).flops;

describe('trace', () => {
  test('lists the operators in order with what went in and out', () => {
    const x = ones([2, 3]);
    const w = ones([4, 3]);
    const { result, calls } = trace(() => x.linear(w).relu().sum([1], { keepdim: true }));
    expect(result.shape).toEqual([2, 1]);
    expect(calls.map((each) => [each.op, each.overload, each.outputs[0]?.shape])).toEqual([
      ['aten::linear', '', [2, 4]],
      ['aten::relu', '', [2, 4]],
      ['aten::sum', 'dim_IntList', [2, 1]],
    ]);
    const [linear, relu, sum] = calls;
    expect(linear?.inputs[0]).toEqual({ kind: 'tensor', tensor: { id: 0, shape: [2, 3], dtype: 'float32' } });
    // The output of one is the input of the next.
    expect(relu?.inputs[0]).toMatchObject({ tensor: { id: linear?.outputs[0]?.id } });
    expect(sum?.inputs[1]).toEqual({ kind: 'list', items: [{ kind: 'value', value: 1 }] });
    expect(sum?.keywords).toEqual({ keepdim: { kind: 'value', value: true } });
  });

  test('lists of tensors, several outputs and in-place operators', () => {
    const x = ones([3]);
    const { calls } = trace(() => {
      F.cat([x, x]);
      x.sort();
      x.add_(1);
    });
    expect(calls.map((each) => each.op)).toEqual(['aten::cat', 'aten::sort', 'aten::add_']);
    expect(calls[0]?.inputs[0]).toMatchObject({ kind: 'list', items: [{ tensor: { id: 0 } }, { tensor: { id: 0 } }] });
    expect(calls[1]?.outputs).toHaveLength(2);
    expect(calls[2]?.outputs[0]?.id).toBe(0);
  });

  test('nests, ends with an exception, and records nothing outside', () => {
    const x = ones([1]);
    const outer = trace(() => {
      x.add(1);
      const inner = trace(() => x.mul(2));
      expect(inner.calls.map((each) => each.op)).toEqual(['aten::mul']);
    });
    expect(outer.calls.map((each) => each.op)).toEqual(['aten::add', 'aten::mul']);
    const seen: unknown[] = [];
    expect(() =>
      trace(() => {
        seen.push(x.add(1));
        throw new Error('on purpose');
      }),
    ).toThrow('on purpose');
    expect(trace(() => 1).calls).toEqual([]);
  });
});

describe('flops are those of torch.utils.flop_counter', () => {
  const z = (...shape: number[]): Tensor => zeros(shape);
  test.each<[string, () => unknown]>([
    ['conv2d', () => z(2, 4, 9, 7).conv2d(z(6, 4, 3, 3), null, { stride: 2, padding: 1 })],
    ['grouped conv2d', () => z(2, 4, 9, 7).conv2d(z(6, 2, 3, 3), null, { groups: 2 })],
    ['conv1d', () => z(2, 4, 9).conv1d(z(6, 4, 3))],
    ['conv_transpose2d', () => z(2, 4, 5, 5).convTranspose2d(z(4, 3, 3, 3), null, { stride: 2 })],
    ['linear', () => z(7, 5, 4).linear(z(3, 4), z(3))],
    ['mm', () => z(3, 4).mm(z(4, 5))],
    ['bmm', () => z(2, 3, 4).bmm(z(2, 4, 5))],
    ['matmul', () => z(2, 3, 4).matmul(z(4, 5))],
    ['addmm', () => z(3, 5).addmm(z(3, 4), z(4, 5))],
    ['scaled_dot_product_attention', () => z(2, 3, 5, 4).scaledDotProductAttention(z(2, 3, 6, 4), z(2, 3, 6, 4))],
  ])('%s', (name, run) => {
    expect(flops(trace(run).calls)).toBe(counts[name]);
  });

  test('other operators count nothing', () => {
    expect(flops(trace(() => tensor([1, 2]).add(1).sum()).calls)).toBe(0);
    expect(flops(trace(() => ops.aten.relu(z(3))).calls)).toBe(0);
  });
});
