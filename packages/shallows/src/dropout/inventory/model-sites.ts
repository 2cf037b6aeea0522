import { DropPath, findSites, type ModuleTree, nameDropPaths, Site, StochasticDepth } from '../../depth/index.js';
import { nameDropouts } from '../name-dropouts.js';
import { DropoutSite } from '../site.js';

/** A module that drops rows, or all, of what it is given. */
export type PathModule = DropPath | StochasticDepth;

/** Everything random that the modules of a model hold, by name. */
export interface ModelSites {
  readonly dropouts: readonly DropoutSite[];
  readonly depth: readonly Site[];
  readonly paths: readonly PathModule[];
}

/**
 * Runs something while every random place of a model has its name in it, then gives each the name that it had: a part of a
 * larger model keeps the names of that one.
 *
 * @throws ShallowsError where two places would have one name
 */
export function withNamedSites<T>(model: ModuleTree, run: (sites: ModelSites) => T): T {
  const before: (() => void)[] = [];
  const remember = (place: { name: string }): void => {
    const { name } = place;
    before.push(() => {
      place.name = name;
    });
  };
  const paths: PathModule[] = [];
  for (const [, module] of model.namedModules()) {
    if (isPathModule(module)) paths.push(module);
    for (const place of [module, ...Object.values(module)].flatMap(namedIn)) remember(place);
  }
  try {
    const dropouts = nameDropouts(model);
    nameDropPaths(model);
    return run({ dropouts, depth: findSites(model).filter(({ droppable }) => droppable), paths });
  } finally {
    for (const restore of before) restore();
  }
}

/** What a field holds of what is named: a place itself, that of a residual block, or a list of these. */
function namedIn(value: unknown): readonly { name: string }[] {
  if (value instanceof DropoutSite || value instanceof Site || isPathModule(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(namedIn);
  return typeof value === 'object' && value !== null && 'site' in value && value.site instanceof Site
    ? [value.site]
    : [];
}

/** Whether a value is a `DropPath` or `StochasticDepth`. */
export function isPathModule(value: unknown): value is PathModule {
  return value instanceof DropPath || value instanceof StochasticDepth;
}

/** The drop rate of a `DropPath` or `StochasticDepth`. */
export function pathRate(module: PathModule): number {
  return module instanceof DropPath ? module.dropProb : module.p;
}
