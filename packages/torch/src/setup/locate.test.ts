import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeMachine } from '../../../../tests/support/fake-machine.js';
import { locateLibtorch } from './locate.js';

let machine: FakeMachine;
beforeEach(() => {
  machine = new FakeMachine();
});
afterEach(() => machine.remove());

describe('the order of the search', () => {
  test('LIBTORCH, then the torch of python3, then the system, then none', async () => {
    machine.libtorch('usr', '2.6.0', { lib: 'lib/x86_64-linux-gnu' });
    const python = machine.libtorch('site/torch', '2.9.1+cpu');
    const named = machine.libtorch('named', '2.13.0');
    machine.python({ torch: python });

    expect(await locateLibtorch(machine.context({ LIBTORCH: named }))).toMatchObject({
      source: 'LIBTORCH',
      version: '2.13.0',
      root: named,
    });
    expect(await locateLibtorch(machine.context())).toMatchObject({
      source: 'python3',
      version: '2.9.1+cpu',
      root: python,
    });
    machine.python();
    expect(await locateLibtorch(machine.context())).toMatchObject({
      source: 'system',
      version: '2.6.0',
      lib: machine.path('usr/lib/x86_64-linux-gnu'),
    });
    expect(await locateLibtorch({ ...machine.context(), systemRoots: [] })).toBeUndefined();
  });

  test('an archive or the pinned wheel is asked for in so many words, so that nothing else is looked at', async () => {
    machine.libtorch('usr');
    expect(await locateLibtorch(machine.context({ LIBTORCH_ARCHIVE: 'libtorch.zip' }))).toBeUndefined();
    expect(await locateLibtorch(machine.context({ SHALLOWS_LIBTORCH: 'pip' }))).toBeUndefined();
  });

  test('a torch that is too old, or not of the kind asked for, is passed over in plain sight', async () => {
    machine.libtorch('usr', '2.6.0');
    machine.python({ torch: machine.libtorch('site/torch', '1.8.1') });
    expect(await locateLibtorch(machine.context())).toMatchObject({ source: 'system' });
    expect(machine.lines).toEqual([
      `passed over libtorch 1.8.1 in ${machine.path('site/torch')}: it is older than 2.6`,
    ]);

    machine.libtorch('site/torch', '2.9.0', { cuda: true });
    expect(await locateLibtorch(machine.context())).toMatchObject({ source: 'python3', cuda: true });
    expect(await locateLibtorch(machine.context({ SHALLOWS_LIBTORCH: 'cpu' }))).toMatchObject({
      source: 'system',
      cuda: false,
    });
    expect(await locateLibtorch(machine.context({ SHALLOWS_LIBTORCH: 'cuda' }))).toMatchObject({ source: 'python3' });
  });

  test('a machine without python3 has the system left', async () => {
    machine.libtorch('usr', '2.6.0');
    expect(await locateLibtorch(machine.context())).toMatchObject({ source: 'system' });
    machine.command('python3', 'exit 3');
    expect(await locateLibtorch(machine.context())).toMatchObject({ source: 'system' });
  });
});

describe('LIBTORCH', () => {
  test('may be the folder, or one that holds it as torch', async () => {
    machine.libtorch('site/torch');
    const LIBTORCH = machine.path('site');
    expect(await locateLibtorch(machine.context({ LIBTORCH }))).toMatchObject({ lib: machine.path('site/torch/lib') });
  });

  test('finds the CUDA libraries of wheels', async () => {
    machine.libtorch('site/torch', '2.13.0+cu130', { cuda: true });
    machine.write('site/nvidia/cublas/lib/libcublas.so', '');
    machine.write('site/nvidia/cu13/include/x.h', '');
    const found = await locateLibtorch(machine.context({ LIBTORCH: machine.path('site/torch') }));
    expect(found).toMatchObject({
      cuda: true,
      searchPath: [machine.path('site/torch/lib'), machine.path('site/nvidia/cublas/lib')],
    });
  });

  test('tells the two kinds of string apart', async () => {
    const LIBTORCH = machine.libtorch('named');
    expect(await locateLibtorch(machine.context({ LIBTORCH }))).toMatchObject({ cxx11Abi: true });
    machine.libtorch('named', '2.6.0', { strings: '_ZN3c106detail14torchCheckFailEPKcS2_jRKSs __cxx11' });
    expect(await locateLibtorch(machine.context({ LIBTORCH }))).toMatchObject({ cxx11Abi: false });
  });

  test('must be a libtorch that can be used', async () => {
    const folder = machine.path('nothing');
    await expect(locateLibtorch(machine.context({ LIBTORCH: folder }))).rejects.toThrow(
      `setup: expected LIBTORCH to be a libtorch or torch folder, got ${folder} (no lib/libtorch_cpu.so) - name a folder with lib/ and include/`,
    );
    const LIBTORCH = machine.libtorch('old', '1.10.0');
    await expect(locateLibtorch(machine.context({ LIBTORCH }))).rejects.toThrow('cannot be used: it is older than 2.6');
    await expect(
      locateLibtorch(machine.context({ LIBTORCH: machine.libtorch('cpu'), SHALLOWS_LIBTORCH: 'cuda' })),
    ).rejects.toThrow('SHALLOWS_LIBTORCH=cuda asks for a build with CUDA');
    await expect(
      locateLibtorch(machine.context({ LIBTORCH: machine.path('cpu'), SHALLOWS_LIBTORCH: 'gpu' })),
    ).rejects.toThrow("expected SHALLOWS_LIBTORCH to be cpu, cuda or pip, got 'gpu'");
  });
});
