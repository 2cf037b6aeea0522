import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from './failure.js';

/** The recipe of the quickstart: in the package, or in the repository that the package is part of. */
export function quickstartRecipe(): string {
  const places = ['../../recipes/quickstart.yaml', '../../../../recipes/quickstart.yaml'];
  const found = places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((file) => existsSync(file));
  if (found === undefined)
    throw new UsageError(
      'quickstart: expected recipes/quickstart.yaml in the package, got none - install shallows again',
    );
  return found;
}
