import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { functional, linalg, type Operator, tensor } from '../index.js';
import { operatorsOf } from '../table.js';

type Parameter = Operator['schema']['parameters'][number];

const entries = [...Object.entries(functional), ...Object.entries(linalg)].filter(
  ([, fn]) => operatorsOf(fn).length > 0,
);

test('the table has the size one expects', () => {
  expect(entries.length).toBeGreaterThan(200);
});

describe('every entry exists in libtorch', () => {
  test.each(entries)('%s', (_, fn) => {
    for (const operator of operatorsOf(fn)) expect(operator.exists, String(operator)).toBe(true);
  });
});

// The declared types are read with the compiler and compared with the schemas: a parameter must have the schema's name
// in camelCase, at its place, with a type that the schema's type takes.
const camel = (name: string): string =>
  name.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

const source = fileURLToPath(new URL('functional.ts', import.meta.url));
const configPath = fileURLToPath(new URL('../../tsconfig.json', import.meta.url));
const config = ts.parseJsonConfigFileContent(
  ts.readConfigFile(configPath, ts.sys.readFile).config,
  ts.sys,
  fileURLToPath(new URL('../..', import.meta.url)),
);
const program = ts.createProgram([source], { ...config.options, noEmit: true });
const checker = program.getTypeChecker();

function typesOf(file: string, exported: string): Map<string, ts.Signature> {
  const module = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol;
  const symbol = checker.getExportsOfModule(module).find((each) => each.name === exported) as ts.Symbol;
  const found = new Map<string, ts.Signature>();
  for (const property of checker.getPropertiesOfType(checker.getTypeOfSymbol(symbol))) {
    const signature = checker.getTypeOfSymbol(property).getCallSignatures()[0];
    if (signature !== undefined) found.set(property.name, signature);
  }
  return found;
}

const signatures = typesOf(source, 'functional');

function kindsOf(type: ts.Type): Set<string> {
  const parts = type.isUnion() ? type.types : [type];
  return new Set(
    parts.map((each) => {
      if (each.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Null)) return 'none';
      if (each.flags & ts.TypeFlags.NumberLike) return 'number';
      if (each.flags & ts.TypeFlags.BigIntLike) return 'bigint';
      if (each.flags & ts.TypeFlags.BooleanLike) return 'boolean';
      if (each.flags & ts.TypeFlags.StringLike) return 'string';
      if (checker.isArrayType(each) || checker.isTupleType(each)) return 'list';
      return each.symbol?.name ?? checker.typeToString(each);
    }),
  );
}

const accepted: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^Tensor\?\[\]|^Tensor\[\]/, ['list']],
  [/^Tensor/, ['Tensor', 'number', 'bigint', 'boolean']],
  [/\[\d*\]\??$/, ['list', 'number']],
  [/^(Sym)?int|^float/i, ['number']],
  [/^(Scalar\b|number)/, ['number', 'bigint', 'boolean']],
  [/^bool/, ['boolean']],
  [/^(str\b|ScalarType|MemoryFormat|Device|Layout)/, ['string']],
  [/^Generator/, ['Generator']],
];

function fits(kinds: ReadonlySet<string>, parameter: Parameter): boolean {
  const allowed = accepted.find(([pattern]) => pattern.test(parameter.type))?.[1] ?? [];
  return [...kinds].some((kind) => allowed.includes(kind));
}

function parametersOf(signature: ts.Signature): { name: string; type: ts.Type }[] {
  return signature.getParameters().map((each) => ({ name: each.name, type: checker.getTypeOfSymbol(each) }));
}

describe('every entry has the types of its schema', () => {
  const checkable = Object.entries(functional).filter(([, fn]) => operatorsOf(fn).length > 0);
  test.each(checkable)('%s', (name, fn) => {
    const signature = signatures.get(name);
    expect(signature, 'a call signature').toBeDefined();
    const declared = parametersOf(signature as ts.Signature);
    const schemas = operatorsOf(fn).map((each) => each.schema.parameters);
    for (const [i, { name: parameter, type }] of declared.entries()) {
      const kinds = kindsOf(type);
      if (parameter === 'options') {
        const options = checker.getNonNullableType(type).getProperties();
        expect(options.length).toBeGreaterThan(0);
        for (const option of options) {
          const optionKinds = kindsOf(checker.getTypeOfSymbol(option));
          const match = schemas.flat().filter((each) => camel(each.name) === option.name);
          expect(
            match.some((each) => fits(optionKinds, each)),
            `${name}: option ${option.name}`,
          ).toBe(true);
        }
        continue;
      }
      const places = schemas
        .map((each) => each[i])
        .filter((each) => each !== undefined && !each.keywordOnly) as Parameter[];
      expect(
        places.map((each) => camel(each.name)),
        `${name}: parameter ${i}`,
      ).toContain(parameter);
      const kindsHere = [...kinds].filter((each) => each !== 'none');
      for (const kind of kindsHere) {
        expect(
          places.some((each) => fits(new Set([kind]), each)),
          `${name}: ${parameter} as ${kind}`,
        ).toBe(true);
      }
    }
    // What the schema demands is declared, in one overload at least.
    const names = new Set(declared.map((each) => each.name));
    const required = schemas.map((each) => each.filter(({ hasDefault }) => !hasDefault).map((p) => camel(p.name)));
    expect(
      required.some((each) => each.every((p) => names.has(p))),
      `${name}: required ${required.join(' | ')}`,
    ).toBe(true);
  });
});

test('each entry is a method of tensors, under its own name', () => {
  const x = tensor([1, 2]);
  for (const name of ['add', 'softmax', 'sum', 'indexPut_', 'crossEntropy'] as const) {
    expect(typeof x[name]).toBe('function');
    expect(x[name].name).toBe(name);
  }
});
