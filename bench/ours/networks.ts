// The networks that are trained on both sides; bench/peers/networks.py has the same ones.
import { ops, randn, type Tensor } from '@shallows/torch';
import { createModel } from 'shallows/models';
import { AdamW, type Module, type Optimizer, SGD } from 'shallows/nn';
import { rootKey } from 'shallows/random';
import { orderModel, placed } from 'shallows/train';

/** What a step is set up with: both change no result but for rounding. */
export interface Setup {
  readonly channelsLast: boolean;
  /** Whether SGD is one operator over all parameters; AdamW always is. */
  readonly fused: boolean;
}

interface Network {
  readonly make: () => Module;
  /** `[B, C, H, W]` pictures, `[B, F]` features or `[B, T]` tokens. */
  readonly input: readonly number[];
  readonly classes: number;
  readonly optimizer: 'sgd' | 'adamw';
}

const key = rootKey(1);
const VOCABULARY = 8192;

const networks: Readonly<Record<string, Network>> = {
  resnet110: {
    make: () => createModel('cifar-resnet', { depth: 110, classes: 10, key }),
    ...{ input: [128, 3, 32, 32], classes: 10, optimizer: 'sgd' },
  },
  resnet50: {
    make: () => createModel('resnet', { depth: 50, classes: 1000, key }),
    ...{ input: [16, 3, 64, 64], classes: 1000, optimizer: 'sgd' },
  },
  vit: {
    make: () => createModel('vit', { size: 'ti', patch: 4, image: 32, classes: 10, key }),
    ...{ input: [64, 3, 32, 32], classes: 10, optimizer: 'adamw' },
  },
  convnext: {
    make: () => createModel('convnext', { size: 'tiny', classes: 1000, key }),
    ...{ input: [8, 3, 64, 64], classes: 1000, optimizer: 'adamw' },
  },
  encoder: {
    make: () => createModel('transformer-encoder', { vocabulary: VOCABULARY, length: 128, classes: 4, key }),
    ...{ input: [32, 128], classes: 4, optimizer: 'adamw' },
  },
  mlp: {
    make: () => createModel('mlp', { inputs: 784, outputs: 10, hidden: [1024, 1024], key }),
    ...{ input: [256, 784], classes: 10, optimizer: 'sgd' },
  },
};

/** A network with an optimizer and a batch, ready for steps. */
export interface Training {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly inputs: Tensor;
  /** int64 `[B]` */
  readonly targets: Tensor;
}

/** @throws Error for a name that is not one of the networks */
export function training(name: string, { channelsLast, fused }: Setup): Training {
  const network = networks[name];
  if (network === undefined) throw new Error(`expected one of ${Object.keys(networks).join(', ')}, got ${name}`);
  const { input, classes } = network;
  const model = network.make();
  if (channelsLast) orderModel(model, true);
  const optimizer =
    network.optimizer === 'adamw'
      ? new AdamW(model.parameters(), { lr: 1e-4, weightDecay: 0.05 })
      : new SGD(model.parameters(), { lr: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-4, fused });
  const batch = name === 'encoder' ? ops.aten.randint(VOCABULARY, input, { dtype: 'int64' }) : randn(input);
  return {
    ...{ model, optimizer },
    inputs: placed(batch as Tensor, { device: 'cpu', channelsLast }),
    targets: ops.aten.randint(classes, [input[0] ?? 0], { dtype: 'int64' }) as Tensor,
  };
}
