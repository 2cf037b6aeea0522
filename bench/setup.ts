// npm run bench:setup: a virtual environment with the peers, PyTorch 2.13.0 for the CPU among them.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const venv = fileURLToPath(new URL('../.venv', import.meta.url));
const requirements = fileURLToPath(new URL('../peers/requirements.txt', import.meta.url));
const commands: [string, ...string[]][] = [
  ...(existsSync(`${venv}/bin/python`) ? [] : ([['python3', '-m', 'venv', venv]] as [string, ...string[]][])),
  [`${venv}/bin/python`, '-m', 'pip', 'install', '--quiet', '--requirement', requirements],
];
for (const [program, ...args] of commands) {
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) {
    console.error(`bench:setup: ${program} ${args.join(' ')} ended with ${status}`);
    process.exit(1);
  }
}
