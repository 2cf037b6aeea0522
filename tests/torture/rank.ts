import { Generator, randn, scope, setNumThreads, type Tensor, tensor } from '@shallows/torch';
import { applyPolicy, branchParameters, fixedPlan, Policy, type PolicyOptions, withPlan } from 'shallows/depth';
import { cifarResnet, residualMlp } from 'shallows/models';
import { crossEntropy, type Module, type Parameter, SGD, trainingPass } from 'shallows/nn';
import { deriveKey, randints, rootKey, uniform } from 'shallows/random';
import {
  type DataParallel,
  dataParallel,
  microbatches,
  missingGradients,
  plansOverRanks,
  readRanks,
} from 'shallows/train';

// One rank of a data-parallel training, as a loop of its own: node rank.js OPTIONS. Without the variables of a launcher it is
// the same training in one process. The last line of stdout says what came of it.

/** What all ranks of a training are told, as JSON. */
export interface RankOptions {
  readonly model: 'mlp' | 'resnet-8' | 'resnet-20' | 'resnet-56';
  readonly depth: PolicyOptions | null;
  readonly steps: number;
  /** Rows of the global batch. */
  readonly batch: number;
  readonly microbatches?: number;
  /** In which precision; single unless given. */
  readonly dtype?: 'float32' | 'float64';
  readonly batchNorm?: 'local' | 'synchronised';
  readonly bucketBytes?: number;
  readonly timeoutMs?: number;
  /** How many ranks a process that is alone stands for, one after the other. */
  readonly emulates?: number;
  /** Chance that a rank sleeps before a backward pass, and for how long at most. */
  readonly pauses?: { readonly chance: number; readonly mostMs: number };
  /** The rank that ends itself by SIGKILL in the backward pass of a step. */
  readonly dies?: { readonly rank: number; readonly step: number };
}

/** What a rank says at its end. */
export interface RankResult {
  /** All weights, one parameter after another, in base64. */
  readonly weights: string;
  readonly bytesReduced: number;
  /** Bytes of all parameters. */
  readonly parameterBytes: number;
  /** Share of the parameters' bytes that no rank had a gradient of, over all steps. */
  readonly absentShare: number;
  /** Whether this rank ever lacked a gradient that another had. */
  readonly everLocal: boolean;
  /** Which sites of which rows of the global batch were kept, by step, as this rank drew them for itself. */
  readonly plans: readonly string[];
  readonly losses: readonly number[];
}

const sleeping = new Int32Array(new SharedArrayBuffer(4));
const pictureSide = 16;

function build(name: RankOptions['model']): Module {
  const key = deriveKey(rootKey(3), 'model');
  if (name === 'mlp') return residualMlp({ inputs: 12, width: 24, blocks: 6, outputs: 5, key });
  return cifarResnet({ depth: Number(name.split('-')[1]), classes: 5, key, widths: [8, 16, 32] });
}

/** The whole batch of a step: every rank makes it and takes its part. */
function batchOf(
  { model, batch, dtype = 'float32' }: RankOptions,
  step: number,
): { readonly inputs: Tensor; readonly targets: Tensor } {
  const generator = new Generator('cpu', 1000 + step);
  const shape = model === 'mlp' ? [batch, 12] : [batch, 3, pictureSide, pictureSide];
  const targets = Array.from(randints(deriveKey(rootKey(4), step), 5, batch), BigInt);
  return { inputs: randn(shape, { generator }).to(dtype), targets: tensor(targets) };
}

async function train(options: RankOptions): Promise<RankResult> {
  setNumThreads(1);
  const { batch, microbatches: parts = 1, steps, batchNorm = 'local', bucketBytes, timeoutMs = 60_000 } = options;
  const place = readRanks();
  const { dtype = 'float32', emulates = 1 } = options;
  const { rank = 0, size = emulates } = place ?? {};
  const members = place === null ? Array.from({ length: size }, (_, each) => each) : [rank];
  const model = build(options.model).to({ dtype });
  const ranks: DataParallel | null =
    place === null
      ? null
      : await dataParallel({
          place,
          batchNorm,
          model,
          timeoutMs,
          ...(bucketBytes === undefined ? {} : { bucketBytes }),
        });
  const parameters = new Map(model.namedParameters());
  const named = (keys: readonly string[]): Set<Parameter> => new Set(keys.flatMap((key) => parameters.get(key) ?? []));
  const optimizer = new SGD(model.parameters(), { lr: 0.02, momentum: 0.9, weightDecay: 1e-4 });
  ranks?.start(model.parameters());

  const policy = Policy(options.depth ?? { drop: 0 });
  const sites = applyPolicy(model, policy);
  const branches = scope(() => {
    const { inputs } = batchOf(options, 0);
    return branchParameters(model, (pass) => model.forward(inputs, pass));
  });
  const bytesOf = (keys: Iterable<Parameter>): number =>
    [...keys].reduce((sum, { numel }) => sum + numel, 0) * (dtype === 'float64' ? 8 : 4);
  const parameterBytes = bytesOf(model.parameters());
  const rows = Array.from(
    { length: size },
    (_, r) => Math.floor(((r + 1) * batch) / size) - Math.floor((r * batch) / size),
  );
  let [absentBytes, everLocal] = [0, false];
  const plans: string[] = [];
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    scope(() => {
      const { inputs, targets } = batchOf(options, step);
      optimizer.zeroGrad();
      const all = plansOverRanks({ policy, sites, key: rootKey(5), step, rows, microbatches: parts });
      const kept = members.flatMap((member) =>
        (all[member] ?? []).map((plan) => plan.sites.map((site) => site.rows ?? site.kept)),
      );
      plans.push(JSON.stringify(kept));
      const { absent, localAbsent } = missingGradients(all, rank, branches);
      absentBytes += bytesOf(named(absent));
      everLocal ||= localAbsent.length > 0;
      const pass = trainingPass({ key: deriveKey(rootKey(6), step) });
      let total = 0;
      for (const member of members) {
        const own = all[member] ?? [];
        const mine = rows[member] ?? 0;
        const from = rows.slice(0, member).reduce((sum, each) => sum + each, 0);
        const whole = { inputs: inputs.narrow(0, from, mine), targets: targets.narrow(0, from, mine), size: mine };
        for (const [i, part] of microbatches(whole, parts).entries()) {
          const plan = own[i] ?? fixedPlan(policy, sites, []);
          const logits = model.forward(part.inputs, withPlan(ranks?.pass(pass) ?? pass, plan));
          const loss = crossEntropy(logits, part.targets).mul(part.rows / batch);
          total += loss.item();
          if (i === own.length - 1) ranks?.beginStep({ absent: named(absent), localAbsent: named(localAbsent) });
          pause(options, step, rank);
          if (options.dies?.rank === rank && options.dies.step === step) process.kill(process.pid, 'SIGKILL');
          loss.backward();
        }
      }
      void ranks?.finishStep();
      optimizer.step();
      losses.push(total);
    });
    if (step % 100 === 99) process.stderr.write(`step ${step + 1}\n`);
  }
  const sums = ranks === null ? losses : await ranks.sum(losses);
  const weights = Buffer.concat(model.parameters().map((each) => Buffer.from(each.toBytes()))).toString('base64');
  const bytesReduced = ranks?.bytesReduced ?? 0;
  await ranks?.close();
  return {
    weights,
    bytesReduced,
    parameterBytes,
    absentShare: absentBytes / (parameterBytes * steps),
    everLocal,
    plans,
    losses: sums,
  };
}

/** Holds a rank up now and then, differently on each. */
function pause({ pauses }: RankOptions, step: number, rank: number): void {
  if (pauses === undefined) return;
  const luck = deriveKey(rootKey(7), step, rank);
  if (uniform(luck, 0) < pauses.chance) Atomics.wait(sleeping, 0, 0, uniform(luck, 1) * pauses.mostMs);
}

const result = await train(JSON.parse(process.argv[2] ?? '') as RankOptions);
process.stdout.write(`${JSON.stringify(result)}\n`);
