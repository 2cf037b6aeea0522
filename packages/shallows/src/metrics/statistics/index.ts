export {
  acceleration,
  type BootstrapDistribution,
  type BootstrapOptions,
  bcaBound,
  bootstrap,
  meanAcceleration,
  percentileBound,
} from './bootstrap.js';
export type { RowTable, RowValues, Table } from './input.js';
export { quantile } from './moments.js';
export { ascendingOrder, midRanks } from './ranks.js';
export { chiSquareTail, normalCdf, normalPValue, upperGamma } from './tails.js';
