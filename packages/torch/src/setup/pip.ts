import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TorchError } from '../errors.js';
import { missing, needs } from './advice.js';
import { run, tail } from './command.js';
import { buildFiles, type SetupContext } from './context.js';
import { hasNvidiaDriver, wantedBuild } from './driver.js';
import { inspectLibtorch, type Libtorch, pinnedVersion } from './libtorch.js';
import { findPython, type Python } from './python.js';
import { install } from './staging.js';

const cpuIndex = 'https://download.pytorch.org/whl/cpu';

/** Installs the pinned wheel with pip, or finds it as an earlier set-up installed it. */
export async function pinnedLibtorch(context: SetupContext): Promise<Libtorch> {
  const wanted = wantedBuild(context);
  const cuda = wanted === 'cuda' || (wanted === undefined && hasNvidiaDriver(context));
  const name = `torch-${pinnedVersion}-${cuda ? 'cuda' : 'cpu'}`;
  const folder = join(context.installFolder, name);
  const before = existsSync(folder) ? inspectLibtorch(folder, 'pip', context) : 'not installed';
  if (typeof before !== 'string') return before;

  const python = await findPython(context);
  const otherwise = ', or give a libtorch with LIBTORCH=FOLDER or LIBTORCH_ARCHIVE=ZIP';
  if (python === undefined) throw missing([needs.python], otherwise);
  if (!python.pip) throw missing([needs.pip], otherwise);
  await install(context, name, (target) =>
    cuda ? installCuda(python, target, context) : installCpu(python, target, context),
  );
  const installed = inspectLibtorch(folder, 'pip', context);
  if (typeof installed === 'string')
    throw new TorchError(`setup: pip installed a torch without libtorch (${installed}) in ${folder}`);
  return installed;
}

async function installCpu(python: Python, target: string, context: SetupContext): Promise<void> {
  const exact = `torch==${pinnedVersion}${context.platform === 'darwin' ? '' : '+cpu'}`;
  context.log(`installing ${exact} with pip (about 200 MB)`);
  // PyTorch's own index first, without waiting long for it; then whatever pip is configured for.
  const attempts = [[exact, '--index-url', cpuIndex, '--timeout', '10', '--retries', '1'], [exact]];
  if (context.platform !== 'darwin') attempts.push([`torch==${pinnedVersion}`]);
  let output = '';
  for (const args of attempts) {
    if (args[0] !== exact && (await isCudaBuild(python, args, context))) break;
    const result = await pip(python, ['--no-deps', ...args], target, context);
    if (result.code === 0) {
      if (!existsSync(join(target, 'torch', 'lib', 'libtorch_cuda.so'))) return;
      rmSync(target, { recursive: true, force: true });
      break;
    }
    output = result.output;
  }
  throw failure(`${exact}, or torch==${pinnedVersion} without CUDA,`, output, python, context);
}

async function installCuda(python: Python, target: string, context: SetupContext): Promise<void> {
  const wheel = `torch==${pinnedVersion}`;
  context.log(
    `installing ${wheel} and its CUDA libraries with pip (several GB; SHALLOWS_LIBTORCH=cpu brings the CPU build)`,
  );
  const { code, output } = await pip(python, [wheel], target, context);
  if (code !== 0) throw failure(wheel, output, python, context);
  if (existsSync(join(target, 'torch', 'lib', 'libtorch_cuda.so'))) return;
  if (wantedBuild(context) === 'cuda') {
    throw new TorchError(
      `setup: expected pip to have torch ${pinnedVersion} with CUDA, got a CPU build - point pip at an index that has it, or name a folder with LIBTORCH`,
    );
  }
  context.log('there is an NVIDIA driver, but pip has the CPU build only: going on with that one');
}

/** Whether the wheel that pip would take wants CUDA libraries; pip before 22.2 cannot tell. */
async function isCudaBuild(python: Python, args: readonly string[], context: SetupContext): Promise<boolean> {
  const { code, output } = await pip(
    python,
    ['--dry-run', '--no-deps', '--quiet', '--report', '-', ...args],
    undefined,
    context,
  );
  return code === 0 && /"(nvidia|cuda)-[\w.-]+/.test(output);
}

function pip(python: Python, args: readonly string[], target: string | undefined, context: SetupContext) {
  const where = target === undefined ? [] : ['--no-compile', '--target', target];
  return run(python.command, ['-m', 'pip', 'install', '--only-binary', ':all:', '--no-input', ...where, ...args], {
    // A user's setting of --user contradicts --target.
    env: {
      ...context.env,
      PIP_USER: '0',
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      ...(target === undefined ? {} : { TMPDIR: target }),
    },
    logFile: buildFiles(context).log,
    onLine: (line) => {
      if (/^\s*(Downloading|Processing) /.test(line)) context.log(`pip: ${line.trim()}`);
    },
  });
}

function failure(what: string, output: string, python: Python, context: SetupContext): TorchError {
  return new TorchError(
    `setup: expected pip of Python ${python.version} to install ${what} got an error - use a Python that PyTorch ${pinnedVersion} has wheels for (3.10 to 3.14), ` +
      `name a libtorch with LIBTORCH=FOLDER or LIBTORCH_ARCHIVE=ZIP, or accept a CUDA build with SHALLOWS_LIBTORCH=cuda\n` +
      `${tail(output, 10)}\n(full log: ${buildFiles(context).log})`,
  );
}
