import { randn, setNumThreads } from '@shallows/torch';
import {
  activeInterval,
  type BlockCosts,
  chooseExecution,
  depthProfile,
  expectedCost,
  findSites,
  measureCosts,
  Policy,
  placesOf,
  type RatedSite,
  rateForSaving,
  type Work,
} from '../depth/index.js';
import { ShallowsError } from '../errors.js';
import type { Module, Pass } from '../nn/index.js';
import { buildModel, forecastDepth } from '../recipe/build.js';
import { modelName } from '../recipe/model.js';
import { inputOfRecipe } from '../recipe/model-input.js';
import type { Recipe } from '../recipe/schema.js';
import { UsageError } from './failure.js';
import type { PlanFacts, PlanSaving, PlanTime } from './plan-facts.js';

/** What `shallows plan` is asked for beyond the rates. */
export interface PlanQuestions {
  readonly advise?: boolean;
  readonly measure?: boolean;
  /** Share to save. */
  readonly saving?: number | undefined;
  /** Told how far the measurement is, as a share of 1. */
  readonly onProgress?: (share: number) => void;
}

/** So long a measurement begins another round. */
const MEASURE_MS = 20_000;

/** Builds the model of a recipe and reads off it, or measures, what its policy will do. */
export function planFacts(recipe: Recipe, questions: PlanQuestions = {}): PlanFacts {
  const { advise = false, measure = false, saving, onProgress } = questions;
  const { sites: forecasts, flops, parameters, advice } = forecastDepth(recipe);
  const { model, policy, sites } = buildModel(recipe);
  using _ = model;
  const work: Work = {
    totalFlops: flops.full,
    branchFlops: Object.fromEntries(forecasts.map((site) => [site.name, site.flops])),
  };
  const rows = Math.ceil(recipe.train.batchSize / recipe.train.microbatches);
  const profile = depthProfile(sites, { policy, rows });
  const measured = measure ? measureStep(recipe, model, policy, rows, onProgress) : null;
  const masked = maskedSites(policy, sites, measured?.choices ?? null);
  const saved = sites.map(({ name }, i) => ({ name, drop: masked.has(name) ? 0 : 1 - (profile.keeps[i] ?? 1) }));
  const ms = new Map(measured?.costs.sites.map((site) => [site.name, site.ms]));
  return {
    name: recipe.name,
    modelName: modelName(recipe.model),
    parameters,
    policy,
    sites: sites.map(({ name, kind, layer, drop }, i) => ({
      ...{ name, kind, layer, requested: drop, keep: profile.keeps[i] ?? 1 },
      ...{ computed: 1 - (saved[i]?.drop ?? 0), flops: work.branchFlops[name] ?? 0, ms: ms.get(name) ?? null },
    })),
    profile,
    interval99: activeInterval(profile, 0.99),
    flops: expectedCost(work, saved),
    time: measured === null ? null : { ...expectedCost(measured.costs, saved), ...measured },
    advice: advise ? advice : null,
    forSaving: saving === undefined ? null : answer(saving, model, policy, measured?.costs ?? work),
  };
}

/** The sites whose branch is computed and then left out: what is dropped there saves nothing. */
function maskedSites(
  policy: Policy | null,
  sites: readonly RatedSite[],
  choices: PlanTime['choices'],
): ReadonlySet<string> {
  if (policy?.execution === 'mask') return new Set(sites.map(({ name }) => name));
  return new Set(choices?.flatMap(({ site, execution }) => (execution === 'mask' ? [site] : [])));
}

function measureStep(
  recipe: Recipe,
  model: Module,
  policy: Policy | null,
  rows: number,
  onProgress: ((share: number) => void) | undefined,
): Pick<PlanTime, 'costs' | 'rows' | 'choices'> {
  const { threads } = recipe.train;
  if (threads !== undefined) setNumThreads(threads);
  using x = randn([rows, ...inputOfRecipe(recipe).shape]);
  const forward = (pass: Pass) => model.forward(x, pass);
  const costs = measureCosts(model, forward, {
    limitMs: MEASURE_MS,
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const choices = policy?.execution === 'auto' ? chooseExecution(model, forward, { policy, rows }) : null;
  return { costs, rows, choices };
}

function answer(share: number, model: Module, policy: Policy | null, cost: BlockCosts | Work): PlanSaving {
  try {
    const found = rateForSaving(share, policy ?? Policy({ drop: 0 }), placesOf(findSites(model)), cost);
    return { share, by: 'sites' in cost ? 'time' : 'flops', found };
  } catch (error) {
    if (!(error instanceof ShallowsError)) throw error;
    throw new UsageError(error.message.replace('rateForSaving:', '--rate-for-saving:'), { cause: error });
  }
}
