import { tieNumbers } from '../statistics/ranks.js';

/** @internal Rank statistics of an uncertainty and the errors on any rows, drawn with repeats: O(rows) each, no sorting. */
export interface RankStatistics {
  /** Spearman's correlation of the two; 0 where one of them is constant on the rows. */
  spearman(rows: Uint32Array): number;
  /** Chance that a wrong row is more uncertain than a right one, equal ones half; ½ where the rows are all of one kind. */
  auroc(rows: Uint32Array): number;
}

/** @internal @param wrong 1 for the rows that count as wrong, for `auroc` */
export function rankStatistics(u: Float64Array, e: Float64Array): RankStatistics {
  const byU = tieNumbers(u);
  const byE = tieNumbers(e);
  // Ranks from the number of rows in each run of equal values.
  const ranksOf = ({ numbers, count }: typeof byU, rows: Uint32Array): Float64Array => {
    const sizes = new Float64Array(count);
    for (const row of rows) sizes[numbers[row] ?? 0] = (sizes[numbers[row] ?? 0] ?? 0) + 1;
    let before = 0;
    return sizes.map((size) => {
      const rank = before + (size + 1) / 2;
      before += size;
      return rank;
    });
  };
  return {
    spearman(rows) {
      const ranksU = ranksOf(byU, rows);
      const ranksE = ranksOf(byE, rows);
      const centre = (rows.length + 1) / 2;
      let [uu, ee, ue] = [0, 0, 0];
      for (const row of rows) {
        const du = (ranksU[byU.numbers[row] ?? 0] ?? 0) - centre;
        const de = (ranksE[byE.numbers[row] ?? 0] ?? 0) - centre;
        uu += du * du;
        ee += de * de;
        ue += du * de;
      }
      return uu === 0 || ee === 0 ? 0 : ue / Math.sqrt(uu * ee);
    },
    auroc(rows) {
      const ranksU = ranksOf(byU, rows);
      let [wrong, sum] = [0, 0];
      for (const row of rows) {
        if ((e[row] ?? 0) === 0) continue;
        wrong++;
        sum += ranksU[byU.numbers[row] ?? 0] ?? 0;
      }
      const right = rows.length - wrong;
      return wrong === 0 || right === 0 ? 0.5 : (sum - (wrong * (wrong + 1)) / 2) / (wrong * right);
    },
  };
}
