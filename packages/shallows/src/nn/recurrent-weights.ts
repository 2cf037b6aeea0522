import { empty, scope } from '@shallows/torch';
import { deriveKey, type Key } from '../random/key.js';
import { uniform_ } from './init.js';
import { Parameter } from './parameter.js';

/** The parameters of one layer and direction, of all gates below each other. */
export interface CellWeights {
  /** `[gates · hiddenSize, features of the input]` */
  readonly weightIh: Parameter;
  /** `[gates · hiddenSize, hiddenSize]` */
  readonly weightHh: Parameter;
  /** `[gates · hiddenSize]` */
  readonly biasIh: Parameter | null;
  /** `[gates · hiddenSize]` */
  readonly biasHh: Parameter | null;
}

/** @internal */
export interface RecurrentSizes {
  readonly gates: number;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly directions: number;
}

/** @internal Weights and biases from U(−1/√hiddenSize, 1/√hiddenSize), as PyTorch's layers begin: by layer, then by direction. */
export function makeCells(sizes: RecurrentSizes, key: Key): readonly (readonly CellWeights[])[] {
  const { gates, inputSize, hiddenSize, numLayers, bias, directions } = sizes;
  const bound = 1 / Math.sqrt(hiddenSize);
  const make = (shape: readonly number[], ...path: readonly (string | number)[]): Parameter =>
    scope(() => new Parameter(uniform_(empty(shape), { key: deriveKey(key, ...path), low: -bound, high: bound })));
  const rows = gates * hiddenSize;
  return Array.from({ length: numLayers }, (_, layer) => {
    const features = layer === 0 ? inputSize : directions * hiddenSize;
    return Array.from({ length: directions }, (_, direction) => ({
      weightIh: make([rows, features], 'weightIh', layer, direction),
      weightHh: make([rows, hiddenSize], 'weightHh', layer, direction),
      biasIh: bias ? make([rows], 'biasIh', layer, direction) : null,
      biasHh: bias ? make([rows], 'biasHh', layer, direction) : null,
    }));
  });
}

/** @internal The fields that give PyTorch's keys in its order: `weightIhL0`, `weightHhL0`, …, `biasHhL0Reverse`. */
export function cellFields(cells: readonly (readonly CellWeights[])[]): Record<string, Parameter> {
  const fields: Record<string, Parameter> = {};
  for (const [layer, directions] of cells.entries()) {
    for (const [direction, cell] of directions.entries()) {
      for (const [name, parameter] of Object.entries(cell)) {
        if (parameter instanceof Parameter) fields[`${name}L${layer}${direction === 1 ? 'Reverse' : ''}`] = parameter;
      }
    }
  }
  return fields;
}
