import { TorchError } from '../errors.js';

/** Something that a set-up needs from the machine, and the commands that install it. */
export interface Need {
  readonly what: string;
  readonly debian: string;
  readonly macos: string;
}

export const needs = {
  compiler: {
    what: 'a C++ compiler (c++, g++ or clang++)',
    debian: 'sudo apt-get install g++',
    macos: 'xcode-select --install',
  },
  cmake: { what: 'CMake 3.18 or newer (cmake)', debian: 'sudo apt-get install cmake', macos: 'brew install cmake' },
  make: {
    what: 'Ninja or make (ninja or make)',
    debian: 'sudo apt-get install ninja-build',
    macos: 'brew install ninja',
  },
  python: {
    what: 'Python 3 (python3)',
    debian: 'sudo apt-get install python3 python3-pip',
    macos: 'brew install python',
  },
  pip: { what: 'pip (python3 -m pip)', debian: 'sudo apt-get install python3-pip', macos: 'python3 -m ensurepip' },
} as const satisfies Record<string, Need>;

/** One error that names everything missing, each with its commands. */
export function missing(list: readonly Need[], alternative = ''): TorchError {
  const lines = list.map(
    ({ what, debian, macos }) => `  ${what}\n    Debian/Ubuntu: ${debian}\n    macOS:         ${macos}`,
  );
  const it = list.length === 1 ? 'it' : 'them';
  return new TorchError(`setup: expected on PATH, got none - install ${it}${alternative}:\n${lines.join('\n')}`);
}
