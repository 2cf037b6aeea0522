import { RecipeError } from '../../packages/shallows/src/recipe/error.js';
import { parseRecipe } from '../../packages/shallows/src/recipe/parse.js';

/** A recipe with nothing but what it must have. */
export const small = `name: small
model: { kind: cifar-resnet, depth: 20 }
data: { kind: textures }
optimizer: { kind: sgd, lr: 0.1 }
train: { duration: 1ep }
`;

/** What is wrong with a recipe, a line each. */
export function problems(text: string, overrides: string[] = []): string {
  try {
    parseRecipe(text, { file: 'r.yaml', overrides });
  } catch (error) {
    if (error instanceof RecipeError) return error.message;
    throw error;
  }
  return 'no problems';
}
