import { fromTypedArray, keep, noGrad, ops, scope, type Tensor } from '@shallows/torch';
import { permutation } from '../../packages/shallows/src/random/index.js';
import type { Algorithm, Snapshot } from '../../packages/shallows/src/train/index.js';

/** A snapshot that no step changes. */
export interface HeldSnapshot extends Snapshot {
  /** Frees its tensors. */
  readonly dispose: () => void;
}

/** A copy of a snapshot as it would come back from a disk: row-major tensors, and numbers that went through JSON. */
export function copySnapshot(state: () => Snapshot): HeldSnapshot {
  const { tensors, json } = noGrad(() =>
    scope(() => {
      const snapshot = state();
      const copies = Object.entries(snapshot.tensors).map(([name, each]) => [name, kept(each)] as const);
      return {
        tensors: Object.fromEntries(copies),
        json: JSON.parse(JSON.stringify(snapshot.json)) as Snapshot['json'],
      };
    }),
  );
  const dispose = (): void => {
    for (const each of Object.values(tensors)) each.dispose();
  };
  return { tensors, json, dispose };
}

/** Mixes each batch with a shuffled copy of itself, by a share that its key says: an algorithm that draws. */
export function swapping(): Algorithm {
  return {
    name: 'swapping',
    onBatchStart(_, batch) {
      const share = (batch.key.lo >>> 0) / 2 ** 33;
      const order = ops.aten.index_select.default(
        batch.inputs,
        0,
        fromTypedArray(Int32Array.from(permutation(batch.key, batch.size))),
      );
      batch.inputs = batch.inputs.mul(1 - share).add(order.mul(share));
    },
  };
}

/** Keeps a moving average of the weights, which are put in their place in evaluation: an algorithm with a state. */
export function shadowing(): Algorithm {
  let averages = new Map<string, Tensor>();
  let own = new Map<string, Tensor>();
  let updates = 0;
  const free = (tensors: ReadonlyMap<string, Tensor>): void => {
    for (const each of tensors.values()) each.dispose();
  };
  return {
    name: 'shadowing',
    onFitStart({ model }) {
      averages = new Map(Array.from(model.namedParameters(), ([key, each]) => [key, noGrad(() => kept(each))]));
      updates = 0;
    },
    onBatchEnd({ model }) {
      updates++;
      const decay = Math.min(0.9, updates / (updates + 1));
      noGrad(() =>
        scope(() => {
          for (const [key, each] of model.namedParameters()) averages.get(key)?.lerp_(each, 1 - decay);
        }),
      );
    },
    onEvaluationStart({ model }) {
      own = new Map(Array.from(model.namedParameters(), ([key, each]) => [key, noGrad(() => kept(each))]));
      noGrad(() => {
        for (const [key, each] of model.namedParameters()) ops.aten.copy_(each, averages.get(key));
      });
    },
    onEvaluationEnd({ model }) {
      noGrad(() => {
        for (const [key, each] of model.namedParameters()) ops.aten.copy_(each, own.get(key));
      });
      free(own);
    },
    onFitEnd: () => free(averages),
    stateDict: () => ({ tensors: Object.fromEntries(averages), json: { updates } }),
    loadStateDict({ tensors, json }) {
      updates = (json as { updates: number }).updates;
      free(averages);
      averages = noGrad(() => new Map(Object.entries(tensors).map(([key, each]) => [key, kept(each)])));
    },
  };
}

function kept(tensor: Tensor): Tensor {
  return keep(scope(() => tensor.detach().contiguous().clone()));
}
