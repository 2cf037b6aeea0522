import { z } from 'zod';
import type { Advice } from '../depth/index.js';
import type { BudgetRow, RegularizationBudget } from '../train/index.js';
import { number } from './lossless-json.js';
import { oneOf } from './shapes.js';

const row: z.ZodType<BudgetRow> = z.object({
  name: z.string(),
  setting: z.string(),
  measures: number,
  full: z.string(),
});

const advice: z.ZodType<Advice> = z.object({
  code: z.string(),
  severity: oneOf<Advice['severity']>({ warning: 1, note: 1 }),
  message: z.string(),
  source: z.string(),
});

/** Schema of `RegularizationBudget`. */
export const regularizationBudget: z.ZodType<RegularizationBudget> = z.object({
  rows: z.array(row),
  total: number,
  published: z.object({ name: z.string(), total: number, source: z.string() }).nullable(),
  advice: z.array(advice),
});
