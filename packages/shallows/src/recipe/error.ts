import { ShallowsError } from '../errors.js';

/** One thing wrong with a recipe: where it is (`file:line:column` or `override "a.b=c"`), at which key, and what to do. */
export interface RecipeProblem {
  readonly location: string;
  /** Dotted path of the key, empty where the text as a whole is wrong. */
  readonly path: string;
  /** `expected …, got … - do …` */
  readonly message: string;
}

const shownProblems = 50;

/** Everything that is wrong with a recipe, all at once: one problem a line of the message. */
export class RecipeError extends ShallowsError {
  override readonly name = 'RecipeError';
  readonly problems: readonly RecipeProblem[];

  constructor(problems: readonly RecipeProblem[]) {
    const lines = problems.slice(0, shownProblems).map(formatProblem);
    const more = problems.length - lines.length;
    if (more > 0) lines.push(`and ${String(more)} more - correct these first`);
    super(lines.join('\n'));
    this.problems = Object.freeze([...problems]);
  }
}

function formatProblem({ location, path, message }: RecipeProblem): string {
  return path === '' ? `${location}: ${message}` : `${location}: ${path}: ${message}`;
}
