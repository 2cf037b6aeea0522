import type { ExecutionChoice } from '../depth/index.js';
import type { JsonObject, JsonValue } from '../nn/index.js';
import type { Ranks } from './ranks.js';

const words = ['gate', 'subset', 'mask'] as const;

/** Choices of executions as JSON. */
export function executionsJson(executions: readonly ExecutionChoice[] | null): JsonValue {
  if (executions === null) return null;
  return executions.map(({ site, execution, ms, why }) => ({
    site,
    execution,
    ms: ms === null ? null : { ...ms },
    why,
  }));
}

/** Null for what is no list of choices. */
export function readExecutions(json: JsonValue | undefined): readonly ExecutionChoice[] | null {
  if (!Array.isArray(json)) return null;
  return (json as readonly JsonObject[]).flatMap((each) => {
    const execution = words.find((word) => word === each.execution);
    if (execution === undefined) return [];
    const ms = each.ms as ExecutionChoice['ms'];
    return [{ site: String(each.site), execution, ms, why: String(each.why) }];
  });
}

/** What rank 0 measured, on every rank: ranks must not differ in how they run. */
export async function agreeOnExecutions(
  executions: readonly ExecutionChoice[] | null,
  ranks: Ranks,
): Promise<readonly ExecutionChoice[] | null> {
  if (executions === null || ranks.parallel === null) return executions;
  const first = await ranks.fromFirst(executions.map(({ execution }) => words.indexOf(execution)));
  return executions.map((each, i) => {
    const execution = words[first[i] ?? 0] ?? each.execution;
    return execution === each.execution ? each : { ...each, execution, why: 'rank 0 measured so' };
  });
}
