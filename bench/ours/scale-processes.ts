// One process of a data-parallel training with depth on, a core each. Arguments: CIFAR ResNet's depth, rows of the whole
// batch, steps, rate. Without the variables of a launcher it trains alone. Prints milliseconds a step.
import { ops, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { applyPolicy, branchParameters, fixedPlan, Policy, withPlan } from 'shallows/depth';
import { cifarResnet } from 'shallows/models';
import { crossEntropy, type Parameter, SGD, trainingPass } from 'shallows/nn';
import { deriveKey, rootKey } from 'shallows/random';
import { type DataParallel, dataParallel, missingGradients, plansOverRanks, readRanks } from 'shallows/train';
import { median } from '../interleave.js';

const [depth = 20, batch = 64, steps = 5, drop = 0.5] = process.argv.slice(2).map(Number);
setNumThreads(1);
const place = readRanks();
const { rank = 0, size = 1 } = place ?? {};
const key = rootKey(1);
const model = cifarResnet({ depth, classes: 10, key });
const ranks: DataParallel | null = place === null ? null : await dataParallel({ place, model });
const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9, fused: true });
ranks?.start(model.parameters());
const policy = Policy({ drop });
const sites = applyPolicy(model, policy);
const own = batch / size;
const inputs = randn([own, 3, 32, 32]);
const targets = ops.aten.randint(10, [own], { dtype: 'int64' }) as Tensor;
const branches = scope(() => branchParameters(model, (pass) => model.forward(inputs.narrow(0, 0, 1), pass)));
const parameters = new Map(model.namedParameters());
const named = (keys: readonly string[]): Set<Parameter> => new Set(keys.flatMap((each) => parameters.get(each) ?? []));
const rows = Array.from({ length: size }, () => own);

const WARMUP = 2;
const times: number[] = [];
for (let step = 0; step < WARMUP + steps; step++) {
  await ranks?.barrier();
  const start = performance.now();
  scope(() => {
    optimizer.zeroGrad();
    const plans = plansOverRanks({ policy, sites, key, step, rows, microbatches: 1 });
    const plan = plans[rank]?.[0] ?? fixedPlan(policy, sites, []);
    const { absent, localAbsent } = missingGradients(plans, rank, branches);
    const pass = trainingPass({ key: deriveKey(key, step) });
    const logits = model.forward(inputs, withPlan(ranks?.pass(pass) ?? pass, plan));
    const loss = crossEntropy(logits, targets).div(size);
    ranks?.beginStep({ absent: named(absent), localAbsent: named(localAbsent) });
    loss.backward();
    ranks?.finishStep();
    optimizer.step();
  });
  if (step >= WARMUP) times.push(performance.now() - start);
}
await ranks?.close();
console.log(JSON.stringify({ ms: median(times) }));
