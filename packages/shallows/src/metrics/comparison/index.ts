export {
  type Comparison,
  type ComparisonOptions,
  compareMeasure,
  comparePaired,
  type PairedComparison,
} from './compare.js';
export { mcnemar, type PairedCounts, signTest } from './counts.js';
