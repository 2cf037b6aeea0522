import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { lives, thisProcess } from './process-identity.js';

test('this process lives, and is the same each time it is asked', () => {
  expect(thisProcess()).toEqual(thisProcess());
  expect(thisProcess().pid).toBe(process.pid);
  expect(lives(thisProcess())).toBe(true);
});

test('one that has ended does not, also where its number is taken by another that started later', async () => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  expect(lives({ ...thisProcess(), pid, started: 0 })).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(lives({ ...thisProcess(), pid, started: 0 })).toBe(false);
  // What a container sees that was started again: its own number, but of another start.
  const { started } = thisProcess();
  if (started > 0) expect(lives({ ...thisProcess(), started: started - 1 })).toBe(false);
});

test('nothing is known of another machine', () => {
  expect(lives({ ...thisProcess(), machine: '00000000' })).toBe('unknown');
});
