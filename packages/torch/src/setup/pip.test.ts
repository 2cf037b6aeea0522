import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeMachine } from '../../../../tests/support/fake-machine.js';
import { pinnedLibtorch } from './pip.js';

let machine: FakeMachine;
beforeEach(() => {
  machine = new FakeMachine();
  machine.write('package/build/setup.log', '');
});
afterEach(() => machine.remove());

const calls = (): string[] =>
  existsSync(machine.path('pip.log')) ? readFileSync(machine.path('pip.log'), 'utf8').trim().split('\n') : [];

/** A pip that puts a prepared wheel in place for requests which match a shell pattern. */
function pipThatHas(pattern: string, wheel: string): string {
  return `case "$*" in
    *--dry-run*) cat ${machine.path('report.json')} ;;
    ${pattern}) while [ "$1" != --target ]; do shift; done; mkdir -p "$2"; cp -r ${machine.path(wheel)}/. "$2" ;;
    *) echo 'ERROR: No matching distribution found for torch'; exit 1 ;;
  esac`;
}

describe('the CPU wheel', () => {
  beforeEach(() => {
    machine.libtorch('wheel/torch');
    machine.write('wheel/torch/lib/libtorch_python.so', '');
    machine.write('wheel/torch/lib/libshm_windows/x', '');
    machine.write('wheel/torch/nn/module.py', '');
    machine.write('wheel/torch-2.13.0.dist-info/METADATA', '');
  });

  test("comes from PyTorch's own index, pruned, and only once", async () => {
    machine.python({ pip: pipThatHas('*torch==2.13.0+cpu*whl/cpu*', 'wheel') });
    const installed = await pinnedLibtorch(machine.context());
    expect(installed).toMatchObject({ source: 'pip', version: '2.13.0+cpu', cuda: false });
    expect(readdirSync(machine.path('installed'))).toEqual(['torch-2.13.0-cpu']);
    expect(readdirSync(machine.path('installed/torch-2.13.0-cpu'))).toEqual(['torch']);
    expect(readdirSync(machine.path('installed/torch-2.13.0-cpu/torch')).sort()).toEqual([
      'include',
      'lib',
      'version.py',
    ]);
    expect(readdirSync(installed.lib).sort()).toEqual(['libc10.so', 'libtorch.so', 'libtorch_cpu.so']);
    expect(calls()).toEqual([expect.stringContaining('--no-deps torch==2.13.0+cpu --index-url')]);
    expect(await pinnedLibtorch(machine.context())).toEqual(installed);
    expect(calls()).toHaveLength(1);
  });

  test('comes from what pip is configured for where that index does not answer', async () => {
    machine.python({ pip: pipThatHas('*torch==2.13.0+cpu', 'wheel') });
    await expect(pinnedLibtorch(machine.context())).resolves.toMatchObject({ version: '2.13.0+cpu' });
    expect(calls()).toHaveLength(2);
  });

  test('may be one without the suffix', async () => {
    machine.write('report.json', '{"install": [{"metadata": {"requires_dist": ["filelock", "sympy>=1.13.3"]}}]}');
    machine.python({ pip: pipThatHas('*torch==2.13.0', 'wheel') });
    await expect(pinnedLibtorch(machine.context())).resolves.toMatchObject({ cuda: false });
  });

  test('what an interrupted installation left is no libtorch, and goes', async () => {
    machine.libtorch('installed/.partial-1-torch-2.13.0-cpu/torch');
    machine.python({ pip: 'exit 1' });
    await expect(pinnedLibtorch(machine.context())).rejects.toThrow(
      'expected pip of Python 3.12 to install torch==2.13.0+cpu',
    );
    expect(readdirSync(machine.path('installed'))).toEqual([]);
  });
});

describe('a CUDA wheel', () => {
  beforeEach(() => {
    machine.libtorch('wheel/torch', '2.13.0+cu130', { cuda: true });
    machine.write('wheel/nvidia/cublas/lib/libcublas.so', '');
    machine.write('wheel/triton/x.py', '');
  });

  test('is never taken unasked', async () => {
    machine.write(
      'report.json',
      '{"install": [{"metadata": {"requires_dist": ["nvidia-cublas==13.1; platform_system"]}}]}',
    );
    machine.python({ pip: pipThatHas('*torch==2.13.0', 'wheel') });
    await expect(pinnedLibtorch(machine.context())).rejects.toThrow('accept a CUDA build with SHALLOWS_LIBTORCH=cuda');
    expect(calls().at(-1)).toContain('--dry-run');

    // A pip that cannot tell beforehand.
    machine.python({ pip: `case "$*" in *--dry-run*) exit 2;; esac; ${pipThatHas('*torch==2.13.0', 'wheel')}` });
    await expect(pinnedLibtorch(machine.context())).rejects.toThrow('without CUDA');
    expect(readdirSync(machine.path('installed'))).toEqual([]);
  });

  test('comes with its libraries on request, or where there is a driver', async () => {
    machine.python({ pip: pipThatHas('*torch==2.13.0', 'wheel') });
    const asked = await pinnedLibtorch(machine.context({ SHALLOWS_LIBTORCH: 'cuda' }));
    const folder = machine.path('installed/torch-2.13.0-cuda');
    expect(asked).toMatchObject({ cuda: true, searchPath: [`${folder}/torch/lib`, `${folder}/nvidia/cublas/lib`] });
    expect(calls()[0]).not.toContain('--no-deps');
    expect(readdirSync(folder).sort()).toEqual(['nvidia', 'torch']);

    machine.command('nvidia-smi', 'exit 0');
    expect(await pinnedLibtorch(machine.context())).toEqual(asked);
  });

  test('is an error where pip has none and it was asked for, and said aloud where it was not', async () => {
    machine.libtorch('wheel-cpu/torch');
    machine.python({ pip: pipThatHas('*torch==2.13.0', 'wheel-cpu') });
    await expect(pinnedLibtorch(machine.context({ SHALLOWS_LIBTORCH: 'cuda' }))).rejects.toThrow('got a CPU build');
    machine.command('nvidia-smi', 'exit 0');
    expect(await pinnedLibtorch(machine.context())).toMatchObject({ cuda: false });
    expect(machine.lines.at(-1)).toBe(
      'there is an NVIDIA driver, but pip has the CPU build only: going on with that one',
    );
  });
});

test('Python and pip are asked for by name, with the ways around them', async () => {
  const without = async (): Promise<string> =>
    String(await pinnedLibtorch(machine.context()).catch((error: unknown) => error));
  expect(await without()).toContain(
    'Python 3 (python3)\n    Debian/Ubuntu: sudo apt-get install python3 python3-pip\n',
  );
  machine.python();
  expect(await without()).toContain(
    'pip (python3 -m pip)\n    Debian/Ubuntu: sudo apt-get install python3-pip\n    macOS: ',
  );
  expect(await without()).toContain('or give a libtorch with LIBTORCH=FOLDER or LIBTORCH_ARCHIVE=ZIP');
});
