import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findCommand } from '../../packages/torch/src/setup/command.js';
import { type SetupContext, setupContext } from '../../packages/torch/src/setup/context.js';

/** A machine made of a few folders: its `PATH` holds only the commands that a test gives it. */
export class FakeMachine {
  readonly root = mkdtempSync(join(tmpdir(), 'shallows-setup-'));
  readonly lines: string[] = [];

  constructor() {
    // What the scripts below are made of.
    for (const name of ['sh', 'cat', 'mkdir', 'cp', 'echo', 'touch']) this.link(name);
  }

  /** The surroundings of a set-up on this machine. */
  context(env: NodeJS.ProcessEnv = {}): SetupContext {
    return setupContext({
      env: { PATH: this.path('bin'), ...env },
      platform: 'linux',
      packageFolder: this.path('package'),
      installFolder: this.path('installed'),
      systemRoots: [this.path('usr')],
      log: (line) => this.lines.push(line),
    });
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  write(path: string, text: string): string {
    const full = this.path(path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
    return full;
  }

  /** Puts a shell script on `PATH`. */
  command(name: string, script: string): void {
    rmSync(this.path('bin', name), { force: true });
    chmodSync(this.write(`bin/${name}`, `#!/bin/sh\n${script}\n`), 0o755);
  }

  /** Puts a command of the real machine on `PATH`. */
  link(name: string): void {
    const real = findCommand(name, process.env);
    if (real === undefined) throw new Error(`the tests need the command ${name}`);
    mkdirSync(this.path('bin'), { recursive: true });
    symlinkSync(real, this.path('bin', name));
  }

  /** A `python3` that knows of a torch folder or of none, and whose pip does what `pip` says. */
  python({ torch, pip }: { torch?: string; pip?: string } = {}): void {
    const answer = {
      version: '3.12',
      torch: torch === undefined ? null : join(torch, '__init__.py'),
      pip: pip !== undefined,
    };
    const isPip = `if [ "$1" = -m ]; then echo "$@" >> ${this.path('pip.log')}; ${pip ?? 'exit 1'}; exit; fi`;
    this.command('python3', `${isPip}\necho '${JSON.stringify(answer)}'`);
  }

  /** A folder that looks like libtorch as far as a set-up looks. */
  libtorch(path: string, version = '2.13.0+cpu', { cuda = false, strings = '__cxx11', lib = 'lib' } = {}): string {
    for (const name of ['torch', 'torch_cpu', ...(cuda ? ['torch_cuda'] : [])])
      this.write(`${path}/${lib}/lib${name}.so`, '');
    this.write(`${path}/${lib}/libc10.so`, `ELF ${strings}`);
    this.write(`${path}/include/ATen/ATen.h`, '');
    this.write(`${path}/version.py`, `__version__ = '${version}'\n`);
    return this.path(path);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
