import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { bringTortureUpToDate } from './support/built.js';

beforeAll(bringTortureUpToDate);

function torture(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const program = fileURLToPath(new URL('./torture/dist/main.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test('a run that is killed four times ends as the unbroken one, bit for bit', () => {
  const { status, output } = torture('resume', '--kills', '4', '--batches', '24', '--lanes', '1');
  expect(output).toMatch(
    /equal to the unbroken run bit for bit, weights, every other tensor and number: (\d+) of \1 runs/,
  );
  expect(output).not.toMatch(/PROBLEM/);
  expect(status, output).toBe(0);
});

test.each([[[]], [['resume', 'twice']], [['resume', '--kills', 'many']], [['resume', '--kill', '3']]])(
  '%j is wrong usage',
  (args) => {
    const { status, output } = torture(...args);
    expect(output).toMatch(/expected: npm run torture -- resume/);
    expect(status).toBe(2);
  },
);
