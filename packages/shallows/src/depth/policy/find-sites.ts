import { ShallowsError } from '../../errors.js';
import { Site } from './site.js';

/** What `findSites` needs of a model: its modules by path, itself first under `''`, in forward order. */
export interface ModuleTree {
  namedModules(): Iterable<readonly [path: string, module: object]>;
}

/**
 * Finds the sites of a model, names each by its place, and returns them in the order of `namedModules()`.
 *
 * A module owns a site in one of two shapes:
 * - the module is the residual block: its field `site` is named by the module's path, `layer1.0`;
 * - the module has several: each field that holds a residual block (a plain object with a `site`), or a bare `Site`,
 *   is named by path and field, `blocks.3.attention`; a list of them also by position, `blocks.3.residuals.0`.
 *
 * A site at the root is named by its field alone, the field `site` by the site's kind. A site that is reached twice (a
 * shared module) counts once, under its first name.
 *
 * @throws ShallowsError when two sites would share a name or a name would be empty
 */
export function findSites(model: ModuleTree): Site[] {
  const modules = [...model.namedModules()];
  const isModule = new Set(modules.map(([, module]) => module));
  const names = new Map<Site, string>();
  const add = (site: Site, ...path: readonly string[]): void => {
    if (!names.has(site)) names.set(site, path.filter((part) => part !== '').join('.') || site.kind);
  };

  for (const [path, module] of modules) {
    for (const [field, value] of Object.entries(module)) {
      if (value instanceof Site) add(value, path, field === 'site' ? '' : field);
      else if (Array.isArray(value)) {
        value.forEach((item: unknown, i) => {
          const site = isModule.has(Object(item)) ? undefined : siteOf(item);
          if (site !== undefined) add(site, path, field, String(i));
        });
      } else if (!isModule.has(Object(value))) {
        const site = siteOf(value);
        if (site !== undefined) add(site, path, field);
      }
    }
  }
  requireNames('findSites', [...names.values()]);
  for (const [site, name] of names) site.name = name;
  return [...names.keys()];
}

/** @internal Checks that names are present and unique. */
export function requireNames(fn: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name === '') throw new ShallowsError(`${fn}: expected a name for each site, got '' - give the site a kind`);
    if (seen.has(name)) {
      throw new ShallowsError(`${fn}: expected unique site names, got '${name}' twice - rename one of the two fields`);
    }
    seen.add(name);
  }
}

function siteOf(value: unknown): Site | undefined {
  if (value instanceof Site) return value;
  if (typeof value !== 'object' || value === null || !('site' in value)) return undefined;
  return value.site instanceof Site ? value.site : undefined;
}
