import { Operator, scope, type Tensor, zeros } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import type { Key } from '../random/key.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';
import { evaluation, type Pass } from './pass.js';
import { type CellWeights, cellFields, makeCells, type RecurrentSizes } from './recurrent-weights.js';
import { byRowKeys, requireRowKeys } from './row-keys.js';
import { Settings } from './settings.js';
import { spread, spreadAlong } from './spread.js';
import { isActive, placeOf, type StateDropout, type StochasticLayer } from './stochastic.js';

const transpose = new Operator('aten::transpose', 'int');
const narrow = new Operator('aten::narrow');
const select = new Operator('aten::select', 'int');
const cat = new Operator('aten::cat');
const stack = new Operator('aten::stack');

/** Where a recurrent layer drops; all of them get the batch first, `[B, T, features]`, whatever the layer's own order. */
export interface RecurrentDropouts {
  /** Of the input of the first layer. */
  readonly input?: StochasticLayer | null;
  /** Of what a layer gives to the next; PyTorch's `dropout` is an unlocked `Dropout` here. */
  readonly between?: StochasticLayer | null;
  /** Of the state before, on its way into the gates: `[B, hiddenSize]`. Steps then run one by one. */
  readonly hidden?: StateDropout | null;
  /** Of the output. */
  readonly output?: StochasticLayer | null;
}

/** Options of {@link LSTM} and {@link GRU}. */
export interface RecurrentOptions {
  /** Where the first weights come from. */
  readonly key: Key;
  /** Layers on top of each other. */
  readonly numLayers?: number;
  readonly bias?: boolean;
  /** Whether the batch is the first dimension rather than the second, which is PyTorch's default. */
  readonly batchFirst?: boolean;
  /** Whether a second stack reads the sequence from its end; the outputs of both stand beside each other. */
  readonly bidirectional?: boolean;
  readonly dropouts?: RecurrentDropouts;
}

/** What a recurrent layer gives. */
export interface RecurrentResult<State> {
  /** The last layer's h of every step: `[T, B, directions · hiddenSize]`, `[B, T, …]` with `batchFirst`. */
  readonly output: Tensor;
  /** After the last step of each layer and direction. */
  readonly state: State;
}

/** @internal Outputs and states, `[layers · directions, B, hiddenSize]` each, of a run. */
export interface Run {
  readonly output: Tensor;
  readonly states: readonly Tensor[];
}

/** What {@link LSTM} and {@link GRU} have in common. */
export abstract class Recurrent<State> extends Module<
  readonly [x: Tensor, state?: State | null],
  RecurrentResult<State>
> {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bidirectional: boolean;
  readonly batchFirst: boolean;
  readonly inputDropout: StochasticLayer | null;
  readonly betweenDropout: StochasticLayer | null;
  readonly hiddenDropout: StateDropout | null;
  readonly outputDropout: StochasticLayer | null;
  /** Drops weights of the input, see `attachDropConnect`; null for none. */
  inputDropConnect: StochasticLayer | null = null;
  /** Drops weights of the state before, see `attachDropConnect`; null for none. */
  hiddenDropConnect: StochasticLayer | null = null;
  readonly #fn: string;
  readonly #states: number;
  /** By layer, then by direction. */
  readonly #cells: readonly (readonly CellWeights[])[];

  protected constructor(
    fn: string,
    { gates, states }: { readonly gates: number; readonly states: number },
    inputSize: number,
    hiddenSize: number,
    options: RecurrentOptions,
  ) {
    super();
    const { key, numLayers = 1, bias = true, batchFirst = false, bidirectional = false, dropouts = {} } = options;
    new Settings(fn)
      .whole('inputSize', inputSize, 1)
      .whole('hiddenSize', hiddenSize, 1)
      .whole('numLayers', numLayers, 1)
      .flag('bias', bias)
      .flag('batchFirst', batchFirst)
      .flag('bidirectional', bidirectional)
      .key(key)
      .check(`write new ${fn}(inputSize, hiddenSize, { key, numLayers, batchFirst })`);
    const sizes: RecurrentSizes = { gates, inputSize, hiddenSize, numLayers, bias, directions: bidirectional ? 2 : 1 };
    this.#fn = fn;
    this.#states = states;
    this.#cells = makeCells(sizes, key);
    Object.assign(this, cellFields(this.#cells));
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.bidirectional = bidirectional;
    this.batchFirst = batchFirst;
    this.inputDropout = dropouts.input ?? null;
    this.betweenDropout = dropouts.between ?? null;
    this.hiddenDropout = dropouts.hidden ?? null;
    this.outputDropout = dropouts.output ?? null;
  }

  /** The parameters of a layer and direction, from 0. */
  weights(layer: number, direction = 0): CellWeights {
    const cell = this.#cells[layer]?.[direction];
    if (cell !== undefined) return cell;
    throw new ShallowsError(
      `${this.#fn}: expected a layer below ${this.numLayers} and a direction below ${this.bidirectional ? 2 : 1}, ` +
        `got ${layer} and ${direction} - count from 0`,
    );
  }

  /**
   * @param x `[T, B, inputSize]`, `[B, T, inputSize]` with `batchFirst`
   * @param state where it begins, `[layers · directions, B, hiddenSize]`; zeros unless given
   * @throws ShallowsError for an input or a state of another shape
   */
  override forward(x: Tensor, state: State | null = null, pass: Pass = evaluation): RecurrentResult<State> {
    return scope(() => {
      const batch = this.#requireInput(x);
      const { output, states } = this.#run(x, this.#begin(x, state, batch), pass);
      return { output, state: this.pack(states) };
    });
  }

  /** The states as one value. */
  protected abstract pack(states: readonly Tensor[]): State;
  protected abstract unpack(state: State): readonly Tensor[];
  /** Some layers by libtorch's own operator. */
  protected abstract fused(
    x: Tensor,
    states: readonly Tensor[],
    weights: readonly Tensor[],
    how: {
      readonly layers: number;
      readonly bidirectional: boolean;
      readonly train: boolean;
      readonly batchFirst: boolean;
    },
  ): Run;
  /** One layer in one direction step by step: `x` `[B, T, features]`, states `[B, hiddenSize]`, output `[B, T, hiddenSize]`. */
  protected abstract steps(
    x: Tensor,
    states: readonly Tensor[],
    weights: readonly (Tensor | null)[],
    dropState: (state: Tensor) => Tensor,
    reverse: boolean,
  ): Run;

  #run(x: Tensor, states: readonly Tensor[], pass: Pass): Run {
    const { inputDropout, betweenDropout, hiddenDropout, outputDropout, inputDropConnect, hiddenDropConnect } = this;
    const ofWeights = isActive(inputDropConnect, pass) || isActive(hiddenDropConnect, pass);
    const dropping = [inputDropout, betweenDropout, hiddenDropout, outputDropout].some((each) => isActive(each, pass));
    if (!ofWeights && !dropping) {
      return this.#whole(x, states, this.#allWeights(), pass, this.batchFirst);
    }
    const sequence = this.batchFirst ? x : (transpose.call([x, 0, 1]) as Tensor);
    const inner = [inputDropConnect, hiddenDropConnect, inputDropout, betweenDropout, hiddenDropout].find((each) =>
      isActive(each, pass),
    );
    const first = inner === undefined ? sequence : spread(sequence, pass, placeOf(inner));
    const own = states.map((each) => spreadAlong(each, first, pass, 1));
    const { output, states: last } = ofWeights ? this.#byRows(first, own, pass) : this.#dropped(first, own, pass);
    return { output: this.batchFirst ? output : (transpose.call([output, 0, 1]) as Tensor), states: last };
  }

  /** Rows with other keys have other weights, and so are run apart. */
  #byRows(x: Tensor, states: readonly Tensor[], pass: Pass): Run {
    requireRowKeys(this.#fn, pass, x.shape[0]);
    const part = (each: Tensor, dim: number, { start, length }: { start: number; length: number }): Tensor =>
      narrow.call([each, dim, start, length]) as Tensor;
    const runs = byRowKeys(pass, (own, rows) =>
      rows === null
        ? this.#dropped(x, states, own)
        : this.#dropped(
            part(x, 0, rows),
            states.map((each) => part(each, 1, rows)),
            own,
          ),
    );
    const [only] = runs;
    if (only !== undefined && runs.length === 1) return only;
    const joined = (parts: readonly (Tensor | undefined)[], dim: number): Tensor => cat.call([parts, dim]) as Tensor;
    return {
      output: joined(
        runs.map(({ output }) => output),
        0,
      ),
      states: states.map((_, i) =>
        joined(
          runs.map((run) => run.states[i]),
          1,
        ),
      ),
    };
  }

  /** With what drops, the batch first. */
  #dropped(x: Tensor, states: readonly Tensor[], pass: Pass): Run {
    const { betweenDropout, hiddenDropout } = this;
    const weights = this.#cells.map((layer) => layer.map((cell) => this.#weightsOf(cell, pass)));
    const input = through(this.inputDropout, x, pass);
    const apart = isActive(hiddenDropout, pass) || (this.numLayers > 1 && isActive(betweenDropout, pass));
    const { output, states: last } = apart
      ? this.#layerByLayer(input, states, weights, pass)
      : this.#whole(input, states, present(weights.flat(2)), pass, true);
    return { output: through(this.outputDropout, output, pass), states: last };
  }

  #layerByLayer(
    x: Tensor,
    states: readonly Tensor[],
    weights: readonly (readonly (readonly (Tensor | null)[])[])[],
    pass: Pass,
  ): Run {
    const directions = this.bidirectional ? 2 : 1;
    const last: (readonly Tensor[])[] = [];
    let y = x;
    for (const [i, layer] of weights.entries()) {
      const own = states.map((each) => narrow.call([each, 0, i * directions, directions]) as Tensor);
      const run = this.#layer(y, own, layer, pass);
      last.push(run.states);
      y = i === weights.length - 1 ? run.output : through(this.betweenDropout, run.output, pass);
    }
    return { output: y, states: states.map((_, i) => cat.call([last.map((each) => each[i]), 0]) as Tensor) };
  }

  #layer(x: Tensor, states: readonly Tensor[], weights: readonly (readonly (Tensor | null)[])[], pass: Pass): Run {
    const { hiddenDropout } = this;
    if (!isActive(hiddenDropout, pass)) {
      const how = { layers: 1, bidirectional: this.bidirectional, train: trains(x, pass), batchFirst: true };
      return this.fused(x, states, present(weights.flat()), how);
    }
    const runs = weights.map((cell, direction) => {
      const own = states.map((each) => select.call([each, 0, direction]) as Tensor);
      return this.steps(x, own, cell, hiddenDropout.lock(own[0] as Tensor, pass), direction === 1);
    });
    return {
      output: cat.call([runs.map(({ output }) => output), -1]) as Tensor,
      states: states.map((_, i) => stack.call([runs.map((run) => run.states[i]), 0]) as Tensor),
    };
  }

  #whole(x: Tensor, states: readonly Tensor[], weights: readonly Tensor[], pass: Pass, batchFirst: boolean): Run {
    const how = { layers: this.numLayers, bidirectional: this.bidirectional, train: trains(x, pass), batchFirst };
    return this.fused(x, states, weights, how);
  }

  #allWeights(): readonly Parameter[] {
    return this.#cells
      .flat()
      .flatMap(({ weightIh, weightHh, biasIh, biasHh }) =>
        biasIh === null || biasHh === null ? [weightIh, weightHh] : [weightIh, weightHh, biasIh, biasHh],
      );
  }

  #weightsOf({ weightIh, weightHh, biasIh, biasHh }: CellWeights, pass: Pass): readonly (Tensor | null)[] {
    return [
      through(this.inputDropConnect, weightIh, pass),
      through(this.hiddenDropConnect, weightHh, pass),
      biasIh,
      biasHh,
    ];
  }

  #begin(x: Tensor, state: State | null, batch: number): readonly Tensor[] {
    const shape = [this.numLayers * (this.bidirectional ? 2 : 1), batch, this.hiddenSize];
    if (state === null) {
      const { dtype, device } = x;
      const zero = zeros(shape, { dtype, device });
      return Array.from({ length: this.#states }, () => zero);
    }
    const states = this.unpack(state);
    for (const each of states) {
      if (each.shape.join() === shape.join()) continue;
      throw new ShallowsError(
        `${this.#fn}: expected a state of [${shape.join(', ')}], got [${each.shape.join(', ')}] - ` +
          'it has layers · directions, the batch, hiddenSize',
      );
    }
    return states;
  }

  /** The size of the batch. */
  #requireInput({ shape }: Tensor): number {
    if (shape.length === 3 && shape[2] === this.inputSize) return shape[this.batchFirst ? 0 : 1] ?? 0;
    const layout = this.batchFirst ? 'B, T' : 'T, B';
    throw new ShallowsError(
      `${this.#fn}: expected [${layout}, ${this.inputSize}], got [${shape.join(', ')}] - give a batch of sequences`,
    );
  }
}

function through(layer: StochasticLayer | null, x: Tensor, pass: Pass): Tensor {
  return layer === null ? x : layer.forward(x, pass);
}

function present(weights: readonly (Tensor | null)[]): readonly Tensor[] {
  return weights.filter((each) => each !== null);
}

/** cuDNN gives gradients only where it is told that it trains, which changes nothing else. */
function trains({ device }: Tensor, pass: Pass): boolean {
  return pass.training || device !== 'cpu';
}
