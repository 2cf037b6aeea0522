import type { z } from 'zod';

/** All issues of a failed check on one line: `metrics.train.loss: expected a number; seed: expected a whole number`. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`))
    .join('; ');
}
