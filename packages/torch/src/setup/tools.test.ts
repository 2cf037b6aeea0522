import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeMachine } from '../../../../tests/support/fake-machine.js';
import { TorchError } from '../errors.js';
import { findTools } from './tools.js';

let machine: FakeMachine;
beforeEach(() => {
  machine = new FakeMachine();
});
afterEach(() => machine.remove());

const failure = async (env: NodeJS.ProcessEnv = {}): Promise<string> => {
  const error: unknown = await findTools(machine.context(env)).catch((thrown: unknown) => thrown);
  return error instanceof TorchError ? error.message : '';
};

test('a bare machine hears of everything it lacks at once', async () => {
  expect(await failure()).toBe(
    `setup: expected on PATH, got none - install them:
  a C++ compiler (c++, g++ or clang++)
    Debian/Ubuntu: sudo apt-get install g++
    macOS:         xcode-select --install
  CMake 3.18 or newer (cmake)
    Debian/Ubuntu: sudo apt-get install cmake
    macOS:         brew install cmake
  Ninja or make (ninja or make)
    Debian/Ubuntu: sudo apt-get install ninja-build
    macOS:         brew install ninja`,
  );
});

test('one that lacks one thing hears of that one', async () => {
  machine.command('g++', '');
  machine.command('make', '');
  machine.command('cmake', 'echo cmake version 3.16.3');
  expect(await failure()).toMatch(/install it:\n {2}CMake 3.18 or newer/);
  expect(await failure()).not.toContain('compiler');
});

test('Ninja goes before make, and CXX before other compilers', async () => {
  machine.command('g++', '');
  machine.command('make', '');
  machine.command('cmake', 'echo cmake version 3.25.1');
  expect(await findTools(machine.context())).toEqual({
    cmake: machine.path('bin/cmake'),
    compiler: machine.path('bin/g++'),
    generator: 'Unix Makefiles',
  });
  machine.command('ninja', '');
  machine.command('clang++-20', '');
  expect(await findTools(machine.context({ CXX: 'clang++-20' }))).toMatchObject({
    compiler: machine.path('bin/clang++-20'),
    generator: 'Ninja',
  });
});
