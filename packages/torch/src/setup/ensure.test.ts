import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeMachine } from '../../../../tests/support/fake-machine.js';
import type { SetupContext } from './context.js';
import { ensureAddon, installedAddon } from './ensure.js';

const source = `#include <ATen/ATen.h>
#include <node_api.h>
extern "C" int answer();
napi_value version(napi_env env, napi_callback_info) {
  napi_value result, text;
  napi_create_object(env, &result);
  napi_create_string_utf8(env, LOADED, NAPI_AUTO_LENGTH, &text);
  napi_set_named_property(env, result, "libtorch", text);
  return answer() == 42 ? result : nullptr;
}
NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "version", NAPI_AUTO_LENGTH, version, nullptr, &function);
  napi_set_named_property(env, exports, "version", function);
  return exports;
}
`;

// The whole way, with the real tools, against libraries that hold one function.
describe.skipIf(process.platform !== 'linux')('ensureAddon', () => {
  let machine: FakeMachine;
  const context = (env: NodeJS.ProcessEnv = {}): SetupContext => {
    machine.lines.length = 0;
    return machine.context({ PATH: process.env.PATH, LIBTORCH: machine.path('torch'), ...env });
  };
  const builds = (): number => machine.lines.filter((line) => line.startsWith('building')).length;

  const makeLibtorch = (path: string, version: string, loaded = version): void => {
    machine.libtorch(path, version);
    machine.write(`${path}/include/ATen/ATen.h`, `#define LOADED "${loaded}"\n`);
    const code = machine.write('answer.cc', 'extern "C" int answer() { return 42; } const char* strings = "__cxx11";');
    for (const name of ['torch', 'torch_cpu', 'c10']) {
      const library = machine.path(path, 'lib', `lib${name}.so`);
      expect(spawnSync('c++', ['-shared', '-fPIC', `-Wl,-soname,lib${name}.so`, '-o', library, code]).status).toBe(0);
    }
  };

  beforeEach(() => {
    machine = new FakeMachine();
    makeLibtorch('torch', '2.13.0+cpu');
    machine.write('package/package.json', '{}');
    machine.write('package/native/addon.cc', source);
    const cmake = readFileSync(new URL('../../native/CMakeLists.txt', import.meta.url), 'utf8');
    // The headers that are compiled beforehand cost more than everything else here.
    machine.write('package/native/CMakeLists.txt', cmake.replace(/^target_precompile_headers\(.*\)$/m, ''));
    const modules = dirname(dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json')));
    symlinkSync(modules, machine.path('package/node_modules'));
  });
  afterEach(() => machine.remove());

  test('builds once, and again when sources, libtorch or its place change', async () => {
    expect(installedAddon(context())).toBeUndefined();
    const { path, libtorch } = await ensureAddon(context());
    expect([path, libtorch.version, builds()]).toEqual([
      machine.path('package/build/shallows_torch.node'),
      '2.13.0+cpu',
      1,
    ]);
    expect(installedAddon(context())).toEqual({ path, libtorch });

    const before = statSync(path).mtimeMs;
    await ensureAddon(context());
    expect(machine.lines).toEqual([]);
    expect(statSync(path).mtimeMs).toBe(before);

    machine.write('package/native/more.cc', 'int more() { return 1; }\n');
    await ensureAddon(context());
    expect(builds()).toBe(1);

    makeLibtorch('torch', '2.13.1+cpu');
    expect((await ensureAddon(context())).libtorch.version).toBe('2.13.1+cpu');
    expect(builds()).toBe(1);

    makeLibtorch('other', '2.9.0');
    expect((await ensureAddon(context({ LIBTORCH: machine.path('other') }))).libtorch.version).toBe('2.9.0');
    expect(builds()).toBe(1);
    await ensureAddon({ ...context({ LIBTORCH: machine.path('other') }), force: true });
    expect(builds()).toBe(1);
    expect((await ensureAddon(context())).libtorch.version).toBe('2.13.1+cpu');
    expect(builds()).toBe(1);

    rmSync(path);
    await ensureAddon(context());
    expect([builds(), existsSync(path)]).toEqual([1, true]);
  });

  test('two at once build once', async () => {
    const shared = context();
    const addons = await Promise.all([ensureAddon(shared), ensureAddon(shared)]);
    expect(addons[0]).toEqual(addons[1]);
    expect(builds()).toBe(1);
  });

  test('shows the end of a failed build, and leaves the addon that was there', async () => {
    const { path } = await ensureAddon(context());
    const before = statSync(path).mtimeMs;
    machine.write('package/native/addon.cc', source.replace('answer() == 42', 'answers() == 42'));
    const error = await ensureAddon(context()).catch((thrown: unknown) => String(thrown));
    expect(error).toContain(
      `got an error from the compiler - the last lines are below, all of them in ${machine.path('package/build/setup.log')}`,
    );
    expect(error).toContain('answers');
    expect(String(error).split('\n').length).toBeLessThanOrEqual(31);
    expect(statSync(path).mtimeMs).toBe(before);

    expect(error).not.toContain('SHALLOWS_LIBTORCH=pip');

    machine.write('package/native/addon.cc', source);
    await ensureAddon(context());
    expect(builds()).toBe(0);
  });

  test('a libtorch that was found, not named, can be left aside when it does not compile', async () => {
    machine.write('package/native/addon.cc', '#error too old\n');
    machine.libtorch('usr', '2.6.0');
    machine.python();
    const env = { LIBTORCH: '', PATH: `${machine.path('bin')}:${process.env.PATH}` };
    await expect(ensureAddon(context(env))).rejects.toThrow(
      '(to leave libtorch 2.6.0 of system aside: SHALLOWS_LIBTORCH=pip)',
    );
  });

  test('refuses an addon that does not load, or that loads another libtorch', async () => {
    machine.write(
      'package/native/addon.cc',
      source.replace('int answer();', 'int nowhere();').replace('answer()', 'nowhere()'),
    );
    await expect(ensureAddon(context())).rejects.toThrow(
      /expected the addon to load with libtorch 2\.13\.0\+cpu.*nowhere/s,
    );
    machine.write('package/native/addon.cc', source);
    makeLibtorch('torch', '2.13.0+cpu', '2.8.0');
    await expect(ensureAddon(context())).rejects.toThrow('expected the addon to load libtorch 2.13.0+cpu, got 2.8.0');
    expect(installedAddon(context())).toBeUndefined();
  });
});
