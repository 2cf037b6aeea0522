// Calls every function, constructor, method and accessor of the package with every kind of JavaScript value in every
// place. Whatever is thrown must be an error object, and the process must live on.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as torch from '../../dist/index.js';

const { Generator, ops, scope, Tensor, tensor, zeros } = torch;

process.on('warning', () => {});
torch.setAllocationLimit(64e6);
torch.setNumThreads(1);

// Texts are also tried as paths.
const folder = mkdtempSync(join(tmpdir(), 'shallows-values-'));
process.chdir(folder);
process.on('exit', () => rmSync(folder, { recursive: true }));

function detached() {
  const view = new Float32Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

function cyclic() {
  const list = [];
  list.push(list);
  return list;
}

function disposed() {
  const x = tensor([1]);
  x.dispose();
  return x;
}

class Sub extends Tensor {}

const throwing = () => {
  throw new Error('thrown on purpose');
};

/** Name and maker of each kind. */
const kinds = {
  nothing: () => undefined,
  null: () => null,
  true: () => true,
  zero: () => 0,
  minusZero: () => -0,
  one: () => 1,
  minusOne: () => -1,
  fraction: () => 0.5,
  nan: () => Number.NaN,
  infinity: () => Number.POSITIVE_INFINITY,
  huge: () => 1e308,
  largeInteger: () => 2 ** 53 - 1,
  beyondInteger: () => 2 ** 60,
  bigint: () => 1n,
  largestBigint: () => 2n ** 63n - 1n,
  smallestBigint: () => -(2n ** 63n),
  beyondBigint: () => 2n ** 70n,
  emptyText: () => '',
  text: () => 'float32',
  strangeText: () => '\0\ud800€😀',
  longText: () => 'x'.repeat(200_000),
  symbol: () => Symbol('x'),
  function: () => () => 1,
  throwingFunction: () => throwing,
  promiseFunction: () => async () => 1,
  object: () => ({}),
  nullObject: () => Object.create(null),
  proxy: () => new Proxy({}, { get: throwing, has: throwing, ownKeys: throwing, getPrototypeOf: throwing }),
  functionProxy: () => new Proxy(() => 1, { get: throwing, has: throwing }),
  getter: () => ({
    get dtype() {
      throw new Error('thrown on purpose');
    },
  }),
  reentrant: () => ({
    get alpha() {
      return zeros([2]).add(1).sum().item();
    },
  }),
  valueOf: () => ({ valueOf: throwing, toString: throwing }),
  cyclicObject: () => {
    const o = {};
    o.o = o;
    return o;
  },
  emptyList: () => [],
  list: () => [1, 2],
  nestedList: () => [
    [1, 2],
    [3, 4],
  ],
  mixedList: () => [1, 'x', null, Symbol('y')],
  cyclicList: cyclic,
  sparseList: () => new Array(2 ** 32 - 1),
  getterList: () => Object.defineProperty([1, 2], 0, { get: throwing }),
  shrinkingList: () => {
    const list = [1, 2, 3];
    Object.defineProperty(list, 0, {
      get: () => {
        list.length = 0;
        return 1;
      },
    });
    return list;
  },
  lengthLike: () => ({ length: 3, 0: 1 }),
  typedArray: () => new Float32Array([1, 2]),
  emptyTypedArray: () => new Float64Array(0),
  bigTypedArray: () => new BigInt64Array([1n, 2n]),
  unsignedTypedArray: () => new BigUint64Array([2n ** 64n - 1n]),
  uint16Array: () => new Uint16Array([1]),
  detachedArray: detached,
  sharedArray: () => new Float32Array(new SharedArrayBuffer(16)),
  oddView: () => new Float32Array(new ArrayBuffer(12), 4, 2),
  dataView: () => new DataView(new ArrayBuffer(8)),
  buffer: () => new ArrayBuffer(8),
  map: () => new Map([[{}, []]]),
  weakMap: () => new WeakMap(),
  date: () => new Date(Number.NaN),
  regexp: () => /x/,
  error: () => new Error('x'),
  class: () => Tensor,
  tensor: () => tensor([1, 2]),
  emptyTensor: () => zeros([0]),
  scalarTensor: () => tensor(1),
  integerTensor: () => tensor([1n, 0n]),
  metaTensor: () => zeros([2]).to('meta'),
  disposedTensor: disposed,
  forgedTensor: () => Object.create(Tensor.prototype),
  subTensor: () => new Sub(tensor([1, 2])),
  proxiedTensor: () => new Proxy(tensor([1]), {}),
  tensorList: () => [tensor([1, 2]), tensor([3, 4])],
  tensorListWithGaps: () => [tensor([1]), null, undefined, disposed()],
  generator: () => new Generator('cpu', 1),
  forgedGenerator: () => Object.create(Generator.prototype),
  iterable: () => ({
    *[Symbol.iterator]() {
      yield 1;
    },
  }),
};
let lastKind = '';
const makers = Object.entries(kinds).map(([kind, make]) => () => {
  lastKind = kind;
  return make();
});

let calls = 0;

function attempt(name, run) {
  calls++;
  if (process.env.SHOW_CASE) console.error(name, run.toString(), lastKind);
  try {
    scope(() => {
      const result = run();
      if (typeof result?.then === 'function')
        result.then(
          () => {},
          () => {},
        );
    });
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`${name} threw ${typeof error}`);
    if (/internal:|Maximum call stack/.test(error.message))
      throw new Error(`${name}: ${error.message}`, { cause: error });
  }
}

// Not called: they change the whole process.
const skipped = new Set(['setNumThreads', 'setAllocationLimit']);

for (const [name, value] of Object.entries(torch)) {
  if (typeof value !== 'function' || skipped.has(name)) continue;
  for (const make of makers) {
    for (const arrange of [
      (v) => [v],
      (v) => [tensor([1, 2]), v],
      (v) => [[2], v],
      (v) => [() => v],
      (v) => [v, v, v],
    ]) {
      attempt(name, () => value(...arrange(make())));
      attempt(`new ${name}`, () => new value(...arrange(make())));
    }
  }
}

for (const [name, fn] of Object.entries({ ...torch.functional, ...torch.linalg })) {
  for (const make of makers) {
    attempt(name, () => fn(make()));
    attempt(name, () =>
      fn(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        make(),
      ),
    );
    attempt(name, () =>
      fn(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        tensor([
          [1, 2],
          [3, 4],
        ]),
        make(),
      ),
    );
    attempt(name, () =>
      fn(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        1,
        { dim: make(), alpha: make(), dtype: make() },
      ),
    );
  }
}

// Methods and accessors with a wrong `this`.
for (const type of [Tensor, Generator]) {
  for (let prototype = type.prototype; prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype)) {
    for (const key of Reflect.ownKeys(prototype)) {
      const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, key);
      for (const make of makers) {
        if (typeof value === 'function' && key !== 'constructor') attempt(String(key), () => value.call(make()));
        if (get !== undefined) attempt(`get ${String(key)}`, () => get.call(make()));
        if (set !== undefined) {
          attempt(`set ${String(key)}`, () => set.call(make(), 1));
          attempt(`set ${String(key)}`, () => set.call(tensor([1, 2]), make()));
        }
      }
    }
  }
}

// Raw operators, values in each place and as a keyword.
for (const make of makers) {
  for (const other of makers) {
    attempt('aten::add', () => ops.aten.add(make(), other()));
    attempt('aten::cat', () => ops.aten.cat([make(), other()]));
    attempt('aten::conv2d', () => ops.aten.conv2d(make(), zeros([1, 1, 1, 1]), null, other()));
    attempt('aten::sum', () => ops.aten.sum(zeros([2]), make(), { dtype: other() }));
    attempt('aten::empty', () => ops.aten.empty.memory_format(make(), { dtype: other(), device: make() }));
  }
  attempt('options', () => tensor([1], make()));
  attempt('options', () => zeros([1], { dtype: make(), device: make(), requiresGrad: make() }));
  attempt('options', () => torch.rand([1], { generator: make() }));
  attempt('shape', () => tensor(new Float32Array(2), { shape: make() }));
  attempt('grad', () => torch.grad(make(), tensor([1]), { gradOutputs: make() }));
  attempt('grad', () => torch.grad(tensor([1]), make(), { gradOutputs: [make()] }));
  attempt('save', () => torch.saveSafetensors(make(), { x: tensor([1]) }, make()));
}

console.log(`calls ${calls}`);
