import type { PassMode } from '../../nn/pass.js';
import type { HiddenDraw } from './inventory-types.js';
import type { Looks } from './look.js';
import type { UnkeyedDraw } from './observe.js';
import { rateOf } from './random-calls.js';

/** A hidden draw before its position is known, and what names it among all. */
export interface FoundDraw extends Omit<HiddenDraw, 'position'> {
  readonly id: string;
}

/** What draws without a key, each once: the same operator at the same rate in the same module is one place. */
export function hiddenDraws(looks: Looks): readonly FoundDraw[] {
  const found = new Map<string, FoundDraw>();
  for (const mode of ['evaluation', 'training', 'monte-carlo'] as const satisfies readonly PassMode[]) {
    const counts = new Map<string, number>();
    for (const draw of looks[mode].draws) {
      const id = drawId(draw);
      const calls = (counts.get(id) ?? 0) + 1;
      counts.set(id, calls);
      const before = found.get(id);
      const modes = before?.modes ?? [];
      const { call, module } = draw;
      found.set(id, {
        ...{ id, operator: call.op, overload: call.overload, rate: rateOf(call), module },
        calls: Math.max(before?.calls ?? 0, calls),
        modes: modes.includes(mode) ? modes : [...modes, mode],
      });
    }
  }
  return [...found.values()];
}

/** What names a draw among all of a model. */
export function drawId({ call, module }: UnkeyedDraw): string {
  return JSON.stringify(['draw', module, call.op, call.overload, rateOf(call)]);
}
