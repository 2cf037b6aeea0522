import { didYouMean, ShallowsError, shown } from '../../errors.js';
import type { ModuleTree } from '../policy/find-sites.js';
import type { Site } from '../policy/site.js';
import type { Adaptable } from './adaptor.js';
import { adaptable } from './adaptor.js';

/** @internal A place at which a branch is dropped, or could be. */
export interface Candidate {
  /** Name of the site. */
  readonly name: string;
  readonly kind: string;
  /** Class of the module that has it. */
  readonly className: string;
  /** What would have to be adapted first; `null` where the site is there. */
  readonly adaptable: Adaptable | null;
}

/** @internal All places of a model: its sites, and those of blocks with an adaptor, in the order of its modules. */
export function candidatesOf(model: ModuleTree, sites: readonly Site[]): readonly Candidate[] {
  const modules = [...model.namedModules()];
  const found: Candidate[] = [];
  const left = new Set(sites);
  for (const [path, module] of modules) {
    const className = module.constructor.name;
    for (const site of left) {
      if (ownerOf(site.name, modules) !== module) continue;
      left.delete(site);
      found.push({ name: site.name, kind: site.kind, className, adaptable: null });
    }
    const fits = adaptable(module);
    if (fits === null) continue;
    for (const { field, kind } of fits.fields) {
      const name = [path, field === 'site' ? '' : field].filter((part) => part !== '').join('.');
      found.push({ name: name || kind, kind, className, adaptable: fits });
    }
  }
  return found;
}

/** The module that a site's name stands for: the one with the longest path that the name begins with. */
function ownerOf(name: string, modules: readonly (readonly [path: string, module: object])[]): object | undefined {
  let best: readonly [path: string, module: object] | undefined;
  for (const each of modules) {
    const [path] = each;
    const within = path === '' || name === path || name.startsWith(`${path}.`);
    if (within && (best === undefined || path.length > best[0].length)) best = each;
  }
  return best?.[1];
}

/**
 * @internal The candidates that are meant: by the name of a class, by a kind, or by a path, whose `*` stands for anything
 * between two dots and which means all below it too.
 *
 * @throws ShallowsError for no candidates at all, and for a target that means none of them
 */
export function chosen(
  candidates: readonly Candidate[],
  target: string | readonly string[] | undefined,
  model: ModuleTree,
): readonly Candidate[] {
  const targets = target === undefined ? null : [target].flat();
  if (candidates.length === 0) throw new ShallowsError(noCandidates(model));
  if (targets === null) return candidates;
  const wrong = targets.find((each) => !candidates.some((candidate) => isMeant(candidate, each)));
  if (targets.length === 0 || wrong !== undefined) throw new ShallowsError(noMatch(candidates, wrong, model));
  return candidates.filter((candidate) => targets.some((each) => isMeant(candidate, each)));
}

function isMeant({ name, kind, className }: Candidate, target: unknown): boolean {
  if (typeof target !== 'string' || target === '') return false;
  return target === className || target === kind || isAt(name.split('.'), target.split('.'));
}

function isAt(place: readonly string[], pattern: readonly string[]): boolean {
  return pattern.length <= place.length && pattern.every((part, i) => matches(place[i] ?? '', part));
}

function matches(part: string, pattern: string): boolean {
  const [start = '', ...rest] = pattern.split('*');
  const end = rest.pop();
  if (end === undefined) return part === pattern;
  if (!part.startsWith(start) || !part.endsWith(end) || part.length < start.length + end.length) return false;
  let from = start.length;
  for (const each of rest) {
    const at = part.indexOf(each, from);
    if (at < 0 || at + each.length > part.length - end.length) return false;
    from = at + each.length;
  }
  return true;
}

function noMatch(candidates: readonly Candidate[], target: unknown, model: ModuleTree): string {
  const words = candidates.flatMap(({ name, kind, className }) => [className, kind, name]);
  const hint = typeof target === 'string' ? didYouMean(target, [...new Set(words)]) : '';
  const got = target === undefined ? 'an empty list' : shown(target);
  const plain =
    typeof target === 'string' ? plainBlocks(model).find(({ className }) => className === target) : undefined;
  const advice =
    plain === undefined
      ? `name ${listed(candidates)}`
      : `its ${inWords(plain)} have no site: say how they are run with adaptResidual(${plain.className}, …), or name ${listed(candidates)}`;
  return `applyStochasticDepth: expected a block class, a kind or a path of the model, got ${got}${hint} - ${advice}`;
}

function noCandidates(model: ModuleTree): string {
  const blocks = plainBlocks(model).map(inWords).slice(0, 8);
  const seen = blocks.length === 0 ? '' : `; its modules are ${blocks.join('; ')}`;
  return (
    'applyStochasticDepth: expected a model with residual blocks, got one without sites or adaptors - give its blocks a Site and run ' +
    `them through residual(), or say how they are run with adaptResidual(Block, …)${seen}`
  );
}

interface Group {
  readonly className: string;
  readonly places: readonly string[];
}

/** Classes of modules that hold modules, and where they are: what may be a residual block. */
function plainBlocks(model: ModuleTree): readonly Group[] {
  const paths = new Map([...model.namedModules()]);
  const groups = new Map<string, string[]>();
  for (const [path, module] of paths) {
    if (path === '' || ![...paths.keys()].some((each) => each.startsWith(`${path}.`))) continue;
    const { name } = module.constructor;
    groups.set(name, [...(groups.get(name) ?? []), path]);
  }
  return [...groups].map(([className, places]) => ({ className, places }));
}

function listed(candidates: readonly Candidate[]): string {
  const groups = new Map<string, string[]>();
  for (const { className, kind, name } of candidates) {
    const title = `${className} (kind ${kind})`;
    groups.set(title, [...(groups.get(title) ?? []), name]);
  }
  return [...groups].map(([className, places]) => inWords({ className, places })).join('; ');
}

/** `Block: a, b, c and 5 more`. */
function inWords({ className, places }: Group): string {
  const more = places.length > 3 ? ` and ${places.length - 3} more` : '';
  return `${className} at ${places.slice(0, 3).join(', ')}${more}`;
}
