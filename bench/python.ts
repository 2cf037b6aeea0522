import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What a Python has installed, by name. */
export type PythonVersions = Readonly<Record<string, string>>;

/**
 * The interpreter of `SHALLOWS_PYTHON`, or that of `npm run bench:setup`: the first that has the version of torch that our own
 * libtorch is.
 *
 * @returns null where there is none
 */
export function findPython(libtorch: string): string | null {
  const own = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
  const found = [process.env.SHALLOWS_PYTHON, own].find(
    (each) => each !== undefined && existsSync(each) && release(pythonVersions(each).torch) === release(libtorch),
  );
  return found ?? null;
}

/** `2.13.0` of `2.13.0+cpu`. */
const release = (version: string | undefined): string | undefined => version?.split('+')[0];

const packages = ['torch', 'torchvision', 'timm', 'numpy', 'pandas', 'pyarrow', 'pillow', 'safetensors', 'tensorboard'];

const program = `
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
`;

/** Versions of the packages that peers use, without importing them; none where the interpreter does not run. */
export function pythonVersions(python: string): PythonVersions {
  const { status, stdout } = spawnSync(python, ['-c', program, ...packages], { encoding: 'utf8' });
  return status === 0 ? (JSON.parse(stdout) as PythonVersions) : {};
}
