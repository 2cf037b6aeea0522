import type { ModuleTree } from '../depth/index.js';
import { ShallowsError } from '../errors.js';
import { snakeCase } from '../nn/tree.js';
import { DropoutSite } from './site.js';

/**
 * Finds every dropout of a model, names each by its place, and returns them in the order of the model's modules. Masks are
 * drawn by these names, so call it again after a model was changed or put into another one; the models of this library have
 * done it when they are made.
 *
 * The site in a module's field `site` is named by the module's path, `blocks.3.mlp.drop1`; one in another field, or in a list,
 * also by that, `layer_drop`; at the root by its kind. A site that is reached twice (a shared module) counts once, under its
 * first name; it draws another mask at each call. A site that was given a name keeps it.
 *
 * @throws ShallowsError where two sites would have one name
 */
export function nameDropouts(model: ModuleTree): readonly DropoutSite[] {
  const names = new Map<DropoutSite, string>();
  const taken = new Set<string>();
  for (const [path, module] of model.namedModules()) {
    for (const [field, site] of sitesOf(module)) {
      if (names.has(site)) continue;
      const place = [path, field].filter((part) => part !== '').join('.');
      const name = site.isNamed ? site.name : place || site.kind;
      if (taken.has(name)) {
        throw new ShallowsError(
          `nameDropouts: expected each name once, got '${name}' twice - two dropouts of one name draw from one stream: rename one`,
        );
      }
      taken.add(name);
      names.set(site, name);
    }
  }
  for (const [site, name] of names) site.name = name;
  return [...names.keys()];
}

function* sitesOf(module: object): Generator<[field: string, site: DropoutSite]> {
  for (const [field, value] of Object.entries(module)) {
    const name = field === 'site' ? '' : snakeCase(field);
    if (value instanceof DropoutSite) yield [name, value];
    else if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) if (item instanceof DropoutSite) yield [`${name}.${i}`, item];
    }
  }
}
