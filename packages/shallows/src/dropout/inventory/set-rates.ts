import { DropPath, type ModuleTree, Site } from '../../depth/index.js';
import { didYouMean, ShallowsError, shown } from '../../errors.js';
import { rateProblem } from '../rate.js';
import type { DropoutSite } from '../site.js';
import { type PathModule, pathRate, withNamedSites } from './model-sites.js';
import { matches } from './name-pattern.js';

/** A rate that was set. */
export interface ChangedRate {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/** What {@link setRates} did, and how to take it back. */
export interface RateChange extends Disposable {
  /** The places whose rate is another than before. */
  readonly changed: readonly ChangedRate[];
  /** Gives every place the rate that it had; once, whatever is set later. */
  undo(): void;
}

/**
 * Sets drop rates on a live model by name: `setRates(model, { 'blocks.*.mlp': 0.1, 'blocks.11': 0 })`. A pattern names a
 * place or all that is under it; `*` stands for anything within one part of a path, `**` for any number of parts. Where
 * several fit the last one counts. Nothing is set unless all fits.
 *
 * Dropouts, stochastic depth, `DropPath` and `StochasticDepth` are all found. Schedules over time stay, as do factors of
 * evaluation: under `paper` scaling call `setEvaluation`. A trainer goes by the rated sites that it was given: give it those
 * of the model after the change.
 *
 * @throws ShallowsError for a pattern that fits no place, and a rate outside [0, 1] (of Gaussian dropout [0, 1))
 */
export function setRates(model: ModuleTree, rates: Readonly<Record<string, number>>): RateChange {
  return withRatedPlaces(model, (places) => {
    const names = places.map(({ name }) => name);
    const wanted = new Map<RatedPlace, number>();
    for (const [pattern, rate] of Object.entries(rates)) {
      const fitting = places.filter(({ name }) => matches(pattern, name));
      if (fitting.length === 0) {
        throw new ShallowsError(
          `setRates: expected the name of a random place, got ${shown(pattern)}${didYouMean(pattern, names)} - ` +
            (names.length === 0
              ? 'the model has none'
              : `inventory(model) lists them: ${names.slice(0, 3).join(', ')}`),
        );
      }
      const problem = rateProblem(rate);
      if (problem !== null) throw new ShallowsError(`setRates: ${shown(pattern)}: ${problem}`);
      for (const place of fitting) wanted.set(place, rate);
    }
    return change(wanted);
  });
}

/**
 * Sets every drop rate of a model to 0, of dropouts and of stochastic depth: `using _ = withoutDropout(model)` gives them back
 * at the end of the block. Evaluation is the same before, meanwhile and afterwards.
 */
export function withoutDropout(model: ModuleTree): RateChange {
  return withRatedPlaces(model, (places) => change(new Map(places.map((place) => [place, 0]))));
}

interface RatedPlace {
  readonly name: string;
  readonly rate: number;
  readonly set: (rate: number) => void;
}

function withRatedPlaces<T>(model: ModuleTree, run: (places: readonly RatedPlace[]) => T): T {
  return withNamedSites(model, ({ dropouts, depth, paths }) => run([...dropouts, ...depth, ...paths].map(placeOf)));
}

function placeOf(place: DropoutSite | Site | PathModule): RatedPlace {
  const { name } = place;
  if (place instanceof Site) {
    return {
      ...{ name, rate: place.drop },
      set: (rate) => {
        place.drop = rate;
      },
    };
  }
  if ('kind' in place) {
    return {
      ...{ name, rate: place.rate },
      set: (rate) => {
        place.rate = rate;
      },
    };
  }
  return {
    ...{ name, rate: pathRate(place) },
    set: (rate) => {
      if (place instanceof DropPath) place.dropProb = rate;
      else place.p = rate;
    },
  };
}

/** Sets rates, all or none. */
function change(wanted: ReadonlyMap<RatedPlace, number>): RateChange {
  const done: RatedPlace[] = [];
  let isUndone = false;
  const undo = (): void => {
    if (!isUndone) for (const { set, rate } of done) set(rate);
    isUndone = true;
  };
  try {
    for (const [place, rate] of wanted) {
      place.set(rate);
      done.push(place);
    }
  } catch (error) {
    undo();
    throw error;
  }
  const changed = [...wanted]
    .filter(([{ rate }, after]) => rate !== after)
    .map(([{ name, rate }, after]) => Object.freeze({ name, before: rate, after }));
  return Object.freeze({ changed: Object.freeze(changed), undo, [Symbol.dispose]: undo });
}
