import { isTensor, noGrad, scope, type Tensor, type TracedCall, type Tracing, trace } from '@shallows/torch';
import { meterSlot } from '../../depth/cost/work.js';
import type { AnyModule } from '../../nn/module.js';
import { callsSlot, type Pass } from '../../nn/pass.js';
import { askedPlaceSlot } from '../../nn/spread.js';
import { withQuietDraws } from './quiet-draws.js';
import type { OperatorCall } from './untraced.js';
import { watchModules } from './watch-modules.js';

/** A stretch of a trace: calls `[from, to)`, and the id of what it gave. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly output: number | null;
}

/** What one forward call of a module was. */
export interface ModuleSpan extends Span {
  readonly path: string;
  readonly module: AnyModule;
  /** Id and shape of its first tensor; null where it was given none. */
  readonly input: number | null;
  readonly shape: readonly number[] | null;
}

/** One run of a residual branch. */
export interface BranchSpan extends Span {
  readonly site: string;
  /** Sites whose branches it ran inside of, outermost first. */
  readonly within: readonly string[];
}

/** A place that asked for its rate. */
export interface Asked {
  readonly name: string;
  readonly rate: number;
  /** How many operators had run. */
  readonly at: number;
  /** Sites whose branches it was inside of, outermost first. */
  readonly within: readonly string[];
}

/** An operator that drew without a key. */
export interface UnkeyedDraw {
  readonly call: OperatorCall;
  readonly at: number;
  /** Path of the module whose forward called it. */
  readonly module: string;
}

/** What happened in one traced forward pass. */
export interface Observation {
  readonly calls: readonly TracedCall[];
  readonly asked: readonly Asked[];
  /** By name: how often a place drew. */
  readonly drew: ReadonlyMap<string, number>;
  readonly modules: readonly ModuleSpan[];
  readonly branches: readonly BranchSpan[];
  readonly draws: readonly UnkeyedDraw[];
  /** Ids of what the forward pass gave. */
  readonly outputs: ReadonlySet<number>;
  /** Ids of the model's parameters and buffers. */
  readonly weights: ReadonlySet<number>;
}

/** Runs a forward pass in which every residual branch runs, and notes what is random in it. */
export function observe(model: AnyModule, forward: (pass: Pass) => unknown, pass: Pass): Observation {
  const asked: Asked[] = [];
  const modules: ModuleSpan[] = [];
  const branches: BranchSpan[] = [];
  const draws: UnkeyedDraw[] = [];
  const stack: string[] = [];
  const within: string[] = [];
  const outputs = new Set<number>();
  const weights = new Set<number>();

  const run = (tracing: Tracing): void => {
    const at = (): number => tracing.calls.length;
    const watched = pass
      .with(askedPlaceSlot, (name, rate) => void asked.push({ name, rate, at: at(), within: [...within] }))
      .with(meterSlot, (site, branch) => {
        const from = at();
        const outer = [...within];
        within.push(site);
        try {
          const result = branch();
          branches.push({ site, within: outer, from, to: at(), output: tracing.idOf(result) });
          return result;
        } finally {
          within.pop();
        }
      });
    const watcher = {
      entered: (path: string, module: AnyModule, inputs: readonly unknown[]) => {
        stack.push(path);
        const from = at();
        const given = inputs.find((each): each is Tensor => isTensor(each));
        const input = given === undefined ? null : tracing.idOf(given);
        const shape = given?.shape ?? null;
        return (result: unknown): void => {
          const [first] = tensorsIn(result);
          const output = first === undefined ? null : tracing.idOf(first);
          modules.push({ path, module, from, to: at(), input, shape, output });
        };
      },
      left: () => void stack.pop(),
    };
    const result = watchModules(model, watcher, () =>
      withQuietDraws(
        (call) => void draws.push({ call, at: at(), module: stack.at(-1) ?? '' }),
        () => forward(watched),
      ),
    );
    for (const each of tensorsIn(result)) outputs.add(tracing.idOf(each));
    for (const each of Object.values(model.stateDict())) weights.add(tracing.idOf(each));
  };

  const { calls } = noGrad(() => scope(() => ({ calls: trace(run).calls })));
  return { calls, asked, drew: pass.get(callsSlot)?.counts ?? new Map(), modules, branches, draws, outputs, weights };
}

function tensorsIn(value: unknown): readonly Tensor[] {
  if (isTensor(value)) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(tensorsIn);
}
